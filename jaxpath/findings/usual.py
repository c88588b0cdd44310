"""What is usual for a classifier: the mean activations of pictures, measured once and kept."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.caches import cache_file, kept
from jaxpath.files import load_arrays
from jaxpath.fills import Fill
from jaxpath.metrics import Session, array_passes, site_means
from jaxpath.targets import digest
from jaxpath.types import Target

NUM_USUAL = 64
"""Pictures whose mean activations are taken."""

FEW = 16
"""Of fewer pictures the mean says more about them than about what is usual."""

NUM_DRAWN = 32

_FORMAT = 1
_DISCS = 60
_EXPONENT = 2
"""Areas of discs: few are large, many are small, as the edges of things in photographs are."""


def kept_mean(session: Session, images: np.ndarray, *, identity: str) -> Fill:
    """The mean activations over pictures as what closed neurons hold, kept in the user's cache folder.

    Args:
        session: The classifier.
        images: uint8 [R, H, W, C].
        identity: Names the classifier's weights, such as by a hash of their file.
    """
    target = session.target
    named = f"{version('jaxpath')}|{identity}|{target.name}|{target.preprocessing}|{digest(images)}"
    key = hashlib.sha256(named.encode()).hexdigest()

    def measure() -> dict[str, np.ndarray]:
        labels = np.zeros(len(images), np.int32)
        passes = array_passes(session, title="mean activations", image=images, label=labels)
        return site_means(session, passes)

    means = kept(
        cache_file("means", key, version=_FORMAT),
        measure,
        read=lambda path: _read(path, target),
        write=_write,
    )
    return Fill(means)  # type: ignore[arg-type]


def _write(path: Path, means: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as file:
        np.savez(file, **means)  # type: ignore[arg-type]


def _read(path: Path, target: Target) -> dict[str, np.ndarray]:
    """Means of the target's sites; whatever else the file holds is an exception."""
    means = load_arrays(path)
    if {name: mean.shape for name, mean in means.items()} != {s.name: (s.channels,) for s in target.sites}:
        raise ValueError("it holds no means of this classifier's sites")
    return means


def usual_pictures(
    given: np.ndarray, *, reference: np.ndarray | None = None, name: str = ""
) -> tuple[np.ndarray, str]:
    """The pictures over which means are taken where a report has few, and what they are in words.

    Args:
        given: uint8 [n, H, W, C], the pictures that are explained.
        reference: uint8 [R, H, W, C], pictures to compare with; None: there are none.
        name: What the reference is called.

    Returns:
        uint8 [M, H, W, C]: the reference; without one the given pictures, and where these are fewer than
        sixteen, drawn ones besides, see :func:`drawn_pictures`.
    """
    if reference is not None:
        return reference[:NUM_USUAL], f"{min(len(reference), NUM_USUAL)} pictures of {name}"
    if len(given) >= FEW:
        shown = given[:NUM_USUAL]
        return shown, f"{len(shown)} of the explained pictures, for want of a reference"
    drawn = drawn_pictures(given.shape[1:], NUM_DRAWN)
    one = "the explained picture" if len(given) == 1 else f"the {len(given)} explained pictures"
    return np.concatenate([given, drawn]), f"{one} and {NUM_DRAWN} drawn ones, for want of a reference"


def drawn_pictures(shape: Sequence[int], count: int, *, seed: int = 0) -> np.ndarray:
    """Pictures of discs that hide each other, in random colours: uint8 [count, H, W, C].

    Their edges and their spectrum are like those of photographs ("dead leaves", Lee, Mumford and Huang 2001,
    IJCV 41): a stand-in where there are no pictures.

    Args:
        shape: (H, W, C).
        count: How many.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    return np.stack([_leaves(shape, rng) for _ in range(count)])


def _leaves(shape: Sequence[int], rng: Any) -> np.ndarray:
    height, width, channels = shape
    image = np.empty(shape, np.uint8)
    image[:] = rng.integers(0, 256, channels)
    rows, columns = np.ogrid[:height, :width]
    # The largest first: later discs hide earlier ones.
    sizes = np.sort(1 / (1 + 9 * rng.random(_DISCS)) ** _EXPONENT)[::-1]
    for size in sizes:
        row, column = rng.random(2) * (height, width)
        radius = max(1.0, size * max(height, width) / 2)
        image[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = rng.integers(0, 256, channels)
    return image
