"""Runs images under masks of a table: another image's pathway, or a class's."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath import losses
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.finite import flags
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.pathways import unflatten
from jaxpath.types import Batch, EvalStep, HostBatch, InputError, Target


def masked_predictions(
    session: Session,
    records: Records,
    passes: Passes,
    *,
    table: np.ndarray,
    rows: np.ndarray,
    owners: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Runs the i-th image of ``records`` under the mask ``table[rows[i]]``.

    One mechanism for everything that puts one image's or one class's pathway on another image.

    Args:
        session: The classifier.
        records: The explained images.
        passes: Their data set.
        table: Channel masks [M, N], 0/1 or bool; or unit masks as bits, ``records.unit_bits``, uint8.
        rows: [N_images], which mask each image gets.
        owners: int [N_images], the class that this mask is a pathway of: an interchange takes references of
            other classes. None: the image's own predicted class.

    Returns:
        What :func:`predict_under` says, [N_images] each; ``masked_confidence`` is of the image's own
        predicted class.

    Raises:
        InputError: The table has another width.
    """
    _check_table(table, session.target)
    # One more row for padding, whose index is -1, and for what could not be read: nobody looks at it.
    place = np.zeros(records.indices.max() + 2, np.int64)
    place[records.indices] = np.arange(len(records.indices))
    owners = records.predicted if owners is None else owners

    def with_masks() -> Iterable[HostBatch]:
        for batch in passes():
            images = place[batch["index"]]
            yield {
                **batch,
                "mask": table[rows[images]],
                "class": records.predicted[images],
                "owner": owners[images],
                "place": batch["index"],
            }

    return predict_under(session, with_masks(), name=name_of(passes))


def predict_under(
    session: Session, batches: Iterable[HostBatch], *, name: Callable[[int], str] | None = None
) -> dict[str, np.ndarray]:
    """Runs every image of ``batches`` under the mask beside it.

    Args:
        session: The classifier.
        batches: With ``mask``, a row of a table each (see :func:`gates_of`); ``owner``, int, the class that
            it is a pathway of; ``class``, int, the one that is asked for; ``place``, int, that of the
            image in its data set, by which an interchange chooses its reference; and, if it is asked for
            rather than a certain other class, ``against``, int: only these two count then.
        name: What to call the image of an index in messages.

    Returns:
        ``masked_predicted``, int; ``masked_confidence``, the probability of ``class``; and ``margin``, how
        far the logit of ``owner`` is ahead of all others: one value per real example.
    """
    step = _masked_step(session.target, session.mesh)
    frozen = replicate((session.params, session.fill), session.mesh)
    return collect(step, batches, {}, frozen, mesh=session.mesh, name=name)


@functools.lru_cache(maxsize=8)
def _masked_step(target: Target, mesh: Mesh) -> EvalStep:
    """The compiled step of :func:`predict_under`, kept because many tables use it."""

    def evaluate(_: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill = frozen
        gates = fill.close(gates_of(batch["mask"], target), batch["owner"], batch["place"])
        logits = target.apply(params, batch["image"], gates).logits
        if "against" in batch:
            logits = losses.of_two(logits, batch["class"], batch["against"])
        return {
            "masked_predicted": logits.argmax(axis=-1),
            "masked_confidence": probability(logits, batch["class"]),
            "margin": losses.margin(logits, batch["owner"]),
            **flags(logits_under_the_mask=logits),
        }

    return make_eval_step(evaluate, mesh)


def pack_units(masks: Array) -> Array:
    """Masks [B, U] as bits, [B, U / 8, rounded up] uint8: units are many."""
    return jnp.packbits(masks, axis=1)


def gates_of(rows: Array, target: Target) -> dict[str, Array]:
    """Rows of a table, channel masks [B, N] or bits of unit masks, as masks by site."""
    if rows.dtype != jnp.uint8:
        return unflatten(rows.astype(jnp.float32), target.sites)
    bits = jnp.unpackbits(rows, axis=1, count=num_units(target))
    return unflatten(bits.astype(jnp.float32), target.sites, _units(target, len(rows)))


def site_units(target: Target) -> list[int]:
    """Units of each site, in forward order, at the target's own input size."""
    return [math.prod(unit.shape) for unit in _units(target, 1).values()]


def num_units(target: Target) -> int:
    """Units of all sites."""
    return sum(site_units(target))


def _units(target: Target, batch: int) -> dict[str, Any]:
    """Shapes of the sites' activations at the target's own input size."""
    return {
        site.name: jax.ShapeDtypeStruct((batch, *(site.spatial or ()), site.channels), jnp.float32)
        for site in target.sites
    }


def _check_table(table: np.ndarray, target: Target) -> None:
    num_channels = sum(site.channels for site in target.sites)
    num_bytes = -(-num_units(target) // 8)
    expected = num_bytes if table.dtype == np.uint8 else num_channels
    if table.ndim != 2 or table.shape[1] != expected:
        raise InputError(
            f"the table of masks is {table.dtype} of shape {list(table.shape)}; expected one column for each "
            f"of the {num_channels} channels of {target.name}, as bool or float, or {num_bytes} "
            "bytes (uint8) of its units' bits"
        )
