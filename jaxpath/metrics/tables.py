"""Puts pathways from a table on the images of a data set: another image's pathway, or a class's."""

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.gating import fill_closed
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.records import Batches, Fills, Records
from jaxpath.pathways import unflatten
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import EvalStep, make_eval_step
from jaxpath.types import InputError, Params, Target


def masked_predictions(
    target: Target,
    params: Params,
    records: Records,
    batches: Batches,
    *,
    table: np.ndarray,
    rows: np.ndarray,
    mesh: Mesh,
    fills: Fills | None = None,
) -> dict[str, np.ndarray]:
    """Runs the i-th image of ``records`` under the mask ``table[rows[i]]``.

    One mechanism for everything that puts one image's or one class's pathway on another image.

    Args:
        target: The classifier.
        params: Its parameters.
        records: The explained images.
        batches: Their data set.
        table: Channel masks [M, N], 0/1 or bool; or unit masks as bits, ``records.unit_bits``, uint8.
        rows: [N_images], which mask each image gets.
        mesh: The devices.
        fills: Values of closed neurons; None: 0.

    Returns:
        ``masked_predicted``, int, and ``masked_confidence``, the probability of the image's own
        predicted class: [N_images] each.

    Raises:
        InputError: The table has another width.
    """
    _check_table(table, target)
    # One more row for padding, whose index is -1, and for what could not be read: nobody looks at it.
    place = np.zeros(records.indices.max() + 2, np.int64)
    place[records.indices] = np.arange(len(records.indices))

    def with_masks() -> Iterable[Mapping[str, np.ndarray]]:
        for batch in batches():
            images = place[batch["index"]]
            yield {**batch, "mask": table[rows[images]], "class": records.predicted[images]}

    return predict_under(target, params, with_masks(), mesh=mesh, fills=fills)


def predict_under(
    target: Target,
    params: Params,
    batches: Iterable[Mapping[str, np.ndarray]],
    *,
    mesh: Mesh,
    fills: Fills | None = None,
) -> dict[str, np.ndarray]:
    """Runs every image of ``batches`` under the mask beside it.

    Args:
        target: The classifier.
        params: Its parameters.
        batches: With ``mask``, a row of a table each (see :func:`gates_of`), and ``class``, int.
        mesh: The devices.
        fills: Values of closed neurons; None: 0.

    Returns:
        ``masked_predicted``, int, and ``masked_confidence``, the probability of ``class``: one value per
        real example.
    """
    frozen = replicate((params, fills), mesh)
    return collect(_masked_step(target, mesh), batches, {}, frozen, mesh=mesh)


@functools.lru_cache(maxsize=8)
def _masked_step(target: Target, mesh: Mesh) -> EvalStep:
    """The compiled step of :func:`predict_under`, kept because many tables use it."""

    def evaluate(_: Any, frozen: Any, batch: Mapping[str, Array]) -> dict[str, Array]:
        params, fills = frozen
        masks = gates_of(batch["mask"], target)
        logits = target.apply(params, batch["image"], fill_closed(masks, fills)).logits
        return {
            "masked_predicted": logits.argmax(axis=-1),
            "masked_confidence": probability(logits, batch["class"]),
        }

    return make_eval_step(evaluate, mesh)


def pack_units(masks: Array) -> Array:
    """Masks [B, U] as bits, [B, U / 8, rounded up] uint8: units are many."""
    return jnp.packbits(masks, axis=1)


def gates_of(rows: Array, target: Target) -> dict[str, Array]:
    """Rows of a table, channel masks [B, N] or bits of unit masks, as masks by site."""
    if rows.dtype != jnp.uint8:
        return unflatten(rows.astype(jnp.float32), target.sites)
    units = _units(target, len(rows))
    count = sum(math.prod(unit.shape[1:]) for unit in units.values())
    return unflatten(jnp.unpackbits(rows, axis=1, count=count).astype(jnp.float32), target.sites, units)


def _units(target: Target, batch: int) -> dict[str, Any]:
    """Shapes of the sites' activations at the target's own input size."""
    return {
        site.name: jax.ShapeDtypeStruct((batch, *(site.spatial or ()), site.channels), jnp.float32)
        for site in target.sites
    }


def _check_table(table: np.ndarray, target: Target) -> None:
    num_channels = sum(site.channels for site in target.sites)
    num_units = sum(math.prod(unit.shape) for unit in _units(target, 1).values())
    expected = -(-num_units // 8) if table.dtype == np.uint8 else num_channels
    if table.ndim != 2 or table.shape[1] != expected:
        raise InputError(
            f"the table of masks is {table.dtype} of shape {list(table.shape)}; expected one column for each "
            f"of the {num_channels} channels of {target.name}, as bool or float, or {-(-num_units // 8)} "
            "bytes (uint8) of its units' bits"
        )
