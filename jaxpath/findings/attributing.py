"""Attributions of pixels in the whole network, beside what a report says of channels."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath import attributions
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.findings.pictures import Pictures
from jaxpath.metrics import Session, array_passes
from jaxpath.types import Batch, EvalStep, Gates, Params, Target, TargetOutput


class Maps(NamedTuple):
    """Attributions of pictures by name, a map [n, H, W] for each."""

    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]

    def of(self, row: int) -> tuple[tuple[str, np.ndarray], ...]:
        """Those of one picture: (name, [H, W])."""
        return tuple((name, maps[row]) for name, maps in zip(self.names, self.values, strict=True))


def attribute_pixels(
    session: Session,
    names: Sequence[str],
    pictures: Pictures,
    classes: np.ndarray,
    *,
    against: int | None = None,
    seed: int = 0,
) -> Maps:
    """Maps of the classes' logits over the pixels, in the whole network.

    Args:
        session: The classifier.
        names: Attributions, of :func:`jaxpath.attributions.names`.
        pictures: The pictures, n of them.
        classes: int [n], the class of each.
        against: The other class, if the score is the difference of two logits.
        seed: Of those that draw.

    Raises:
        InputError: There is no such attribution, or a map is not finite.
    """
    values = []
    for name in names:
        step = _step(session.target, session.mesh, name, against, seed)
        batches = array_passes(
            session, title=name, image=pictures.images, asked=np.asarray(classes, np.int32)
        )
        params = replicate(session.params, session.mesh)
        found = collect(step, batches(), {}, params, mesh=session.mesh, name=pictures.names.__getitem__)
        values.append(found["map"])
    return Maps(tuple(names), tuple(values))


@functools.lru_cache(maxsize=8)
def _step(target: Target, mesh: Mesh, name: str, against: int | None, seed: int) -> EvalStep:
    shown = target if against is None else _rather(target, against)
    attribute = attributions.make_attribution(name, shown)

    def evaluate(_: Any, params: Params, batch: Batch) -> dict[str, Array]:
        return {"map": attribute(params, batch["image"], batch["asked"], key=jax.random.key(seed))}

    return make_eval_step(evaluate, mesh)


def _rather(target: Target, against: int) -> Target:
    """The target with each logit less that of one class."""

    def apply(params: Params, images: Array, gates: Gates | None = None, **options: Any) -> TargetOutput:
        output = target.apply(params, images, gates, **options)
        return output._replace(logits=output.logits - jnp.expand_dims(output.logits[:, against], 1))

    return target._replace(apply=apply)
