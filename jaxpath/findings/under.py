"""Pictures under masks that are not their own: is it the pathway, and does it need the picture?"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath import metrics
from jaxpath.explainers import pathway_saliency
from jaxpath.findings.bench import Bench, passes
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import EvalStep, make_eval_step
from jaxpath.types import Params

NUM_RANDOM = 3
"""Random pathways of the same size that a pathway is compared with."""

NUM_FOREIGN = 16
"""Reference images of other classes that each pathway is put on."""


class Pairs(NamedTuple):
    """Which picture runs under which mask, and which class is asked for; one entry per run, n in all.

    Attributes:
        pictures: int [n], rows of the images.
        masks: int [n], rows of the table of masks.
        classes: int [n].
    """

    pictures: np.ndarray
    masks: np.ndarray
    classes: np.ndarray


class Outcome(NamedTuple):
    """What came of pairs.

    Attributes:
        predicted: int [n], the class predicted under the mask.
        probability: [n], of the class that was asked for.
    """

    predicted: np.ndarray
    probability: np.ndarray


def predict_pairs(
    bench: Bench, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = "controls"
) -> Outcome:
    """Runs pictures under masks.

    Args:
        bench: The classifier.
        images: uint8 [P, H, W, C].
        table: Channel masks [M, N] or bits of unit masks, as in ``Records.table``.
        pairs: Which picture under which mask.
        title: For the progress bar.
    """
    found = metrics.predict_under(
        bench.target, bench.params, _batches(bench, images, table, pairs, title), mesh=bench.mesh
    )
    return Outcome(found["masked_predicted"], found["masked_confidence"])


def saliency_pairs(
    bench: Bench, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = "saliency"
) -> np.ndarray:
    """Input gradients of the classes' logits under the masks, [n, H, W], signed."""
    batches = _batches(bench, images, table, pairs, title)
    step = _saliency_step(bench.target, bench.mesh)
    params = replicate(bench.params, bench.mesh)
    return collect(step, batches, {}, params, mesh=bench.mesh)["saliency"]


@functools.lru_cache(maxsize=4)
def _saliency_step(target, mesh) -> EvalStep:
    def evaluate(_: Any, params: Params, batch: Mapping[str, Array]) -> dict[str, Array]:
        gates = metrics.gates_of(batch["mask"], target)
        return {
            "saliency": pathway_saliency(
                target, params, batch["image"], batch["class"].astype(jnp.int32), gates
            )
        }

    return make_eval_step(evaluate, mesh)


def _batches(bench: Bench, images: np.ndarray, table: np.ndarray, pairs: Pairs, title: str):
    # Rows are gathered batch by batch: pairs are many more than pictures.
    rows = passes(bench, title, picture=pairs.pictures, row=pairs.masks, label=pairs.classes)
    for batch in rows():
        yield {
            "image": images[batch["picture"]],
            "mask": table[batch["row"]],
            "class": batch["label"],
            "weight": batch["weight"],
        }


def opened(table: np.ndarray) -> np.ndarray:
    """A row for ``table`` with every gate open, [1, width]."""
    return np.full_like(table[:1], 255 if table.dtype == np.uint8 else 1)


def complements(table: np.ndarray) -> np.ndarray:
    """The table with what was open closed, and the other way round."""
    # Bits beyond the last unit are never read.
    return ~table if table.dtype == np.uint8 else table == 0


def shuffled(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random masks that open as many neurons as the rows of ``table`` do."""
    if table.dtype != np.uint8:
        return rng.permuted(table, axis=1)
    return np.packbits(rng.permuted(np.unpackbits(table, axis=1), axis=1), axis=1)


def blank_images(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Pictures of nothing, uint8 [4, H, W, C]: two of noise, a grey one, and a black one."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    return np.concatenate([noise, np.full((1, *shape), 128, np.uint8), np.zeros((1, *shape), np.uint8)])


def foreign_images(
    predicted: np.ndarray, reference: np.ndarray, *, seed: int, most: int = NUM_FOREIGN
) -> list[np.ndarray]:
    """For each image, up to ``most`` reference images that are predicted as another class, drawn at random.

    Args:
        predicted: int [n], predicted classes of the images.
        reference: int [R], those of the reference.
        seed: Of the draws.
        most: How many.

    Returns:
        n arrays of rows of the reference, each rising.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for label in predicted:
        others = np.flatnonzero(reference != label)
        chosen.append(np.sort(rng.permutation(others)[:most]))
    return chosen
