"""A baseline is its own file and an entry of one list: the worked example of docs/contributing.md."""

import ast
from pathlib import Path

import integrated_gates
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import explainers
from jaxpath.gating import Taps
from jaxpath.pathways import flatten
from jaxpath.types import Preprocessing, Site, Target, TargetOutput

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "contributing.md"


def make_target() -> Target:
    """Two sites whose activations are multiplied: y = sum_i a_i b_i, for one class."""

    def apply(params, images, gates=None):
        taps = Taps(gates)
        first = taps("first", images.reshape(len(images), -1))
        second = taps("second", first @ params)
        return TargetOutput(second.sum(axis=1, keepdims=True), taps.features)

    sites = (Site("000.first", 2, None), Site("001.second", 2, None))
    preprocessing = Preprocessing(None, (1, 1), (0.0,) * 2, (1.0,) * 2)
    return Target("products", sites, 1, preprocessing, lambda key: None, apply, lambda *a, **k: None)


def test_the_example_by_hand():
    # y(g, h) = sum_ij x_i g_i W_ij h_j. At gates s it grows by s x_i sum_j W_ij in g_i, and likewise in h_j;
    # the mean of s over the path is 1/2. Both sites together sum to y(1, 1) - y(0, 0).
    target, weights = make_target(), jnp.array([[1.0, 2.0], [-3.0, 0.5]])
    explain = integrated_gates.make_integrated_gates(target, density=0.5)
    images = jnp.array([[[[2.0, 1.0]]]])
    scores = explain(weights, images, jnp.array([0]), key=jax.random.key(0)).scores
    flat = np.asarray(flatten(scores, target.sites))
    np.testing.assert_allclose(flat, [[2 * 3 / 2, -2.5 / 2, (2 - 3) / 2, (4 + 0.5) / 2]], rtol=1e-5)
    assert flat.sum() == pytest.approx(float(target.apply(weights, images).logits[0, 0]))


@pytest.mark.parametrize("name", ["greedy", "dgr"])
def test_one_library_file_names_a_baseline(name):
    files = [*(ROOT / "jaxpath").rglob("*.py"), ROOT / "experiments" / "compare.py"]
    assert [path.name for path in files if name in string_constants(path)] == ["baselines.py"]


def string_constants(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_an_entry_is_found_under_its_own_name():
    assert {name: entry.name for name, entry in explainers.BASELINES.items()} == {
        name: name for name in explainers.names()
    }


def test_the_page_shows_the_example_word_for_word():
    source = (ROOT / "tests" / "contracts" / "integrated_gates.py").read_text(encoding="utf-8")
    _, _, code = source.partition('"""\n\n')
    assert code in GUIDE.read_text(encoding="utf-8")
