"""Runs pictures under masks of a table, pair by pair: predictions and saliency."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.explainers import pathway_saliency
from jaxpath.gating import fill_closed
from jaxpath.metrics import Session, array_passes, gates_of, predict_under
from jaxpath.types import Batch, EvalStep, HostBatch, Target


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
    session: Session, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = "controls"
) -> Outcome:
    """Runs pictures under masks.

    Args:
        session: The classifier.
        images: uint8 [P, H, W, C].
        table: Channel masks [M, N] or bits of unit masks, as in ``Records.table``.
        pairs: Which picture under which mask.
        title: For the progress bar.
    """
    batches = _batches(session, images, table, pairs, title)
    results = predict_under(session, batches, name=_namer(pairs, title))
    return Outcome(results["masked_predicted"], results["masked_confidence"])


def saliency_pairs(
    session: Session, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = "saliency"
) -> np.ndarray:
    """Input gradients of the classes' logits under the masks, [n, H, W], signed."""
    batches = _batches(session, images, table, pairs, title)
    step = _saliency_step(session.target, session.mesh)
    frozen = replicate((session.params, session.fills), session.mesh)
    name = _namer(pairs, title)
    return collect(step, batches, {}, frozen, mesh=session.mesh, name=name)["saliency"]


@functools.lru_cache(maxsize=4)
def _saliency_step(target: Target, mesh: Mesh) -> EvalStep:
    def evaluate(_: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fills = frozen
        gates = fill_closed(gates_of(batch["mask"], target), fills)
        classes = batch["class"].astype(jnp.int32)
        return {"saliency": pathway_saliency(target, params, batch["image"], classes, gates)}

    return make_eval_step(evaluate, mesh)


def _namer(pairs: Pairs, title: str) -> Callable[[int], str]:
    """What to call a pair in messages: its picture, and what for it runs."""
    return lambda row: f"image {pairs.pictures[row]} ({title})"


def _batches(
    session: Session, images: np.ndarray, table: np.ndarray, pairs: Pairs, title: str
) -> Iterator[HostBatch]:
    # Rows are gathered batch by batch: pairs are many more than pictures.
    rows = array_passes(session, title=title, picture=pairs.pictures, row=pairs.masks, label=pairs.classes)
    for batch in rows():
        yield {
            "image": images[batch["picture"]],
            "mask": table[batch["row"]],
            "class": batch["label"],
            "weight": batch["weight"],
        }
