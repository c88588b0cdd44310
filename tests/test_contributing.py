"""docs/contributing.md is true: its files are all that a contribution touches, its code is the library's."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from safetensors.numpy import save_file

from jaxpath import Taps, targets
from jaxpath.layers import relu
from jaxpath.targets import registry
from jaxpath.types import InputError, Preprocessing

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"^From `(jaxpath/\S+)`:\n\n```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def library_files_that_say(word: str) -> set[str]:
    files = (ROOT / "jaxpath").rglob("*.py")
    matching = (path for path in files if word in path.read_text(encoding="utf-8").lower())
    return {str(path.relative_to(ROOT)) for path in matching}


def listed_files(title: str) -> set[str]:
    """The library's files in the table of a section."""
    return set(re.findall(r"^\| `(jaxpath/\S+)` \|", section(title), flags=re.MULTILINE))


def test_a_target_is_known_to_two_files_of_the_library_and_the_page_lists_them():
    assert library_files_that_say("mobilenet") == listed_files("A target")
    assert len(listed_files("A target")) == 2
    assert len(library_files_that_say("mobilenet_v2")) == 1


@pytest.mark.parametrize(("file", "block"), QUOTES)
def test_code_that_the_page_quotes_is_the_files_own(file, block):
    """Without the imports in front of it, which the file has in one place."""
    _, code = block.split("\n\n\n", 1)
    assert code in (ROOT / file).read_text(encoding="utf-8")


def test_files_that_the_page_names_exist():
    assert QUOTES
    named = re.findall(r"`((?:jaxpath|tests|docs)/[\w./]+\.\w+)`", PAGE)
    assert [file for file in named if not (ROOT / file).is_file()] == []


class Toy(nn.Module):
    """A convolution and a dense layer that reads the flattened map."""

    num_classes: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images, gates=None, *, train=False):
        del train
        taps = Taps(gates)
        x = taps("stem.1", relu(nn.Conv(3, (2, 2), (2, 2), name="stem_0")(images)))
        return nn.Dense(self.num_classes, name="head")(x.reshape(len(x), -1)), taps.features


def toy(*, num_classes=4, channels=2):
    preprocessing = Preprocessing(None, (4, 4), mean=(0.0,) * channels, std=(1.0,) * channels)
    return targets.from_linen(
        Toy(num_classes), name="toy", num_classes=num_classes, preprocessing=preprocessing
    )


@pytest.fixture
def toy_is_entered(monkeypatch):
    family = targets.Family(
        {"toy": toy},
        lambda shapes: "toy" if "stem.0.weight" in shapes else None,
        first="stem.0",
        last="head",
        aliases={"classifier": "head"},
        flattened="head",
    )
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, family))


def make_weights() -> dict[str, np.ndarray]:
    """A state dict as PyTorch would write it, with another name of the last layer."""
    rng = np.random.default_rng(0)
    shapes = {"stem.0.weight": (3, 2, 2, 2), "stem.0.bias": (3,)}
    shapes |= {"classifier.weight": (4, 3 * 2 * 2), "classifier.bias": (4,)}
    return {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}


def test_an_entry_gives_a_network_its_name_and_its_attribute(toy_is_entered):
    assert targets.names()[-1] == "toy"
    assert targets.make_target("toy", num_classes=5).num_classes == 5
    assert targets.toy is toy
    with pytest.raises(InputError, match="toy_lwta2"):
        targets.make_target("toy_lwta2")


def test_an_entry_has_its_weights_recognised_and_loaded_in_their_layout(toy_is_entered, tmp_path):
    weights = make_weights()
    save_file(weights, tmp_path / "toy.safetensors")
    assert targets.describe_weights(tmp_path / "toy.safetensors")[:3] == ("toy", 4, 2)
    target = targets.make_target("toy")
    params = targets.load_weights(target, tmp_path / "toy.safetensors")

    image = np.random.default_rng(1).normal(size=(2, 4, 4)).astype(np.float32)  # [C, H, W]
    maps = np.zeros((3, 2, 2))
    for channel, row, column in np.ndindex(maps.shape):
        window = image[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        maps[channel, row, column] = (window * weights["stem.0.weight"][channel]).sum()
    maps = np.maximum(maps + weights["stem.0.bias"][:, None, None], 0)
    expected = weights["classifier.weight"] @ maps.reshape(-1) + weights["classifier.bias"]

    logits = target.apply(params, jnp.asarray(image.transpose(1, 2, 0)[None])).logits[0]
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    targets.save_weights(target, params, tmp_path / "again.safetensors")
    again = targets.load_weights(target, tmp_path / "again.safetensors")
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_without_an_entry_the_weights_are_not_recognised(tmp_path):
    save_file(make_weights(), tmp_path / "toy.safetensors")
    assert targets.describe_weights(tmp_path / "toy.safetensors").name is None


def test_a_metric_is_known_to_three_files_of_the_library_at_most_and_the_page_lists_them():
    files = listed_files("A metric")
    assert library_files_that_say("worst_class") == files and 1 <= len(files) <= 3
    (row,) = re.findall(r"^```text\n(.*?)^```", section("A metric"), flags=re.MULTILINE | re.DOTALL)
    assert row in (ROOT / "jaxpath" / "metrics" / "metric.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["greedy", "dgr"])
def test_a_baseline_is_known_to_two_files_of_the_library(name):
    """Its maker's and the list; the package shows the maker besides."""
    files = library_files_that_say(f'"{name}"') | library_files_that_say(f"def make_{name}(")
    assert files == {"jaxpath/explainers/search.py", "jaxpath/explainers/baselines.py"}
