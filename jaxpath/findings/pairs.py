"""Runs pictures under masks of a table, pair by pair: predictions and saliency."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath import losses
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.explainers import pathway_saliency
from jaxpath.metrics import Pairs, Session, gates_of, pair_batches, predict_under
from jaxpath.types import Batch, EvalStep, Target, TargetOutput


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
    batches = pair_batches(session, images, table, pairs, title=title)
    results = predict_under(session, batches, name=_namer(pairs, title))
    return Outcome(results["masked_predicted"], results["masked_confidence"])


def saliency_pairs(
    session: Session, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = "saliency"
) -> np.ndarray:
    """Input gradients of the classes' logits under the masks, [n, H, W], signed.

    Where the pairs are rather than another class, of the difference of the two logits.
    """
    batches = pair_batches(session, images, table, pairs, title=title)
    step = _saliency_step(session.target, session.mesh)
    frozen = replicate((session.params, session.fill), session.mesh)
    name = _namer(pairs, title)
    return collect(step, batches, {}, frozen, mesh=session.mesh, name=name)["saliency"]


@functools.lru_cache(maxsize=4)
def _saliency_step(target: Target, mesh: Mesh) -> EvalStep:
    def evaluate(_: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill = frozen
        gates = fill.close(gates_of(batch["mask"], target), batch["owner"], batch["place"])
        classes = batch["class"].astype(jnp.int32)
        shown = _of_two(target, batch) if "against" in batch else target
        return {"saliency": pathway_saliency(shown, params, batch["image"], classes, gates)}

    return make_eval_step(evaluate, mesh)


def _of_two(target: Target, batch: Batch) -> Target:
    """The target with the logits of the two classes in question."""

    def apply(*arguments: Any) -> TargetOutput:
        output = target.apply(*arguments)
        return output._replace(logits=losses.of_two(output.logits, batch["class"], batch["against"]))

    return target._replace(apply=apply)


def _namer(pairs: Pairs, title: str) -> Callable[[int], str]:
    """What to call a pair in messages: its picture, and what for it runs."""
    return lambda row: f"image {pairs.pictures[row]} ({title})"
