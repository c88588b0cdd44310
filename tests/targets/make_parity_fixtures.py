"""Writes tests/fixtures/parity/*.npz: what PyTorch computes with the weights of ``seeded_weights``.

Run it where PyTorch is installed; the tests that read the files need none:

    python tests/targets/make_parity_fixtures.py            # all of them
    python tests/targets/make_parity_fixtures.py resnet20   # one
"""

import sys
from pathlib import Path

import numpy as np
import torch
from seeded_weights import make_images, make_state, summarize
from torch_models import make_model

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "parity"
NUM_CLASSES, HIDDEN = 10, 32
# Odd and unequal sides tell height from width, and how strides and pools round.
IMAGENET, CIFAR = (2, 72, 56, 3), (2, 33, 26, 3)
PATCH = 16  # of the transformers
PATCHES = (2, 5 * PATCH, 3 * PATCH, 3)
MODELS = {
    "resnet18": IMAGENET,
    "resnet50": IMAGENET,
    "vgg11": IMAGENET,
    "vgg16": IMAGENET,
    "vgg11_bn": IMAGENET,
    "resnet20": CIFAR,
    "mobilenet_v2": IMAGENET,
    "convnext_tiny": IMAGENET,
    "efficientnet_b0": IMAGENET,
    "deit_tiny": PATCHES,
    "deit_small": PATCHES,
}


def channels_last(activation: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(activation.movedim(1, -1).numpy())


@torch.no_grad()
def make_fixture(name: str, image_shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Runs one model; activations appear in the order of their calls."""
    num_patches = image_shape[1] // PATCH * (image_shape[2] // PATCH)
    model = make_model(name, num_classes=NUM_CLASSES, hidden=HIDDEN, num_patches=num_patches).eval()
    shapes = {
        key: tuple(tensor.shape)
        for key, tensor in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    state = {key: torch.from_numpy(tensor) for key, tensor in make_state(shapes).items()}
    model.load_state_dict(state, strict=False)
    logits = model(torch.from_numpy(make_images(image_shape)).movedim(-1, 1))
    fixture = {
        "logits": logits.numpy(),
        "image_shape": np.array(image_shape),
        "hidden": np.array(HIDDEN),
        "keys": np.array(list(shapes)),
        "shapes": np.array([" ".join(map(str, shape)) for shape in shapes.values()]),
    }
    for position, activation in enumerate(model.taps):
        means, samples = summarize(channels_last(activation))
        fixture |= {f"{position:03d}.means": means, f"{position:03d}.samples": samples}
        largest, active = activation.max(), (activation > 0).float().mean()
        print(f"{name} {position:03d} {tuple(activation.shape)} largest {largest:.3g} active {active:.2f}")
    return fixture


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or MODELS:
        np.savez_compressed(FOLDER / f"{name}.npz", **make_fixture(name, MODELS[name]))
