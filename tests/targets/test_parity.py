"""Every family computes what PyTorch computes, from the file to the logits; see make_parity_fixtures.py."""

from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from seeded_weights import make_images, make_state, summarize

from jaxpath import targets

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "parity"
TOLERANCE = 1e-4
"""Largest difference, relative to the largest value that PyTorch has at that site."""


def relative_error(result: np.ndarray, expected: np.ndarray) -> float:
    assert result.shape == expected.shape
    return float(np.abs(result - expected).max() / np.abs(expected).max())


SAME_FUNCTION = {"vit_tiny": "deit_tiny", "vit_small": "deit_small"}
"""Name -> the one whose fixture it has."""


@pytest.mark.parametrize("name", sorted({*SAME_FUNCTION, *(path.stem for path in FOLDER.glob("*.npz"))}))
def test_the_logits_and_every_site_agree_with_pytorch(name, tmp_path):
    fixture = np.load(FOLDER / f"{SAME_FUNCTION.get(name, name)}.npz")
    options: dict = {"hidden": int(fixture["hidden"])} if name.startswith("vgg") else {}
    if name.startswith(("deit", "vit")):  # their places are parameters
        options["image_size"] = tuple(fixture["image_shape"][1:3].tolist())
    target = targets.make_target(name, num_classes=fixture["logits"].shape[1], **options)
    shapes = {
        key: tuple(map(int, shape.split()))
        for key, shape in zip(fixture["keys"].tolist(), fixture["shapes"].tolist(), strict=True)
    }
    save_file(make_state(shapes), tmp_path / "weights.safetensors")
    params = targets.load_weights(target, tmp_path / "weights.safetensors")

    output = jax.jit(target.apply)(params, make_images(tuple(fixture["image_shape"].tolist())))

    assert relative_error(np.asarray(output.logits), fixture["logits"]) < TOLERANCE
    assert sum(key.endswith(".means") for key in fixture) == len(target.sites)
    for position, site in enumerate(target.sites):
        means, samples = summarize(np.asarray(output.features[site.name]))
        assert relative_error(means, fixture[f"{position:03d}.means"]) < TOLERANCE, site.name
        assert relative_error(samples, fixture[f"{position:03d}.samples"]) < TOLERANCE, site.name


def test_there_is_a_fixture_for_every_family():
    families = {"resnet18", "resnet50", "resnet20", "vgg11", "vgg16", "vgg11_bn", "mobilenet_v2"}
    families |= {"convnext_tiny", "efficientnet_b0", "deit_tiny", "deit_small"}
    assert families <= {path.stem for path in FOLDER.glob("*.npz")}
