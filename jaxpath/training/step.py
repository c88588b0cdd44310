"""One training step on all devices at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxpath.compiling import jit, platform_of
from jaxpath.devices.mesh import AXIS, POSITION
from jaxpath.training.state import TrainState
from jaxpath.types import Batch, Mean, Objective

Metrics = dict[str, Array]
Step = Callable[[TrainState, Any, Batch], tuple[TrainState, Metrics]]

RESERVED = ("loss", "grad_norm", "param_norm")
"""Metrics of every step. If the parameters after a step are not finite, one of these is not."""


def make_train_step(objective: Objective, optimizer: optax.GradientTransformation, mesh: Mesh) -> Step:
    """Compiles objective, gradients, their sum over the devices and the update into one program.

    The loss is the mean of the per-example losses over the global batch, weighted by
    ``batch["weight"]`` where the batch has it. A random key belongs to an example's position in
    the global batch, so results do not depend on the number of devices or processes.

    Args:
        objective: See :class:`~jaxpath.types.Objective`.
        optimizer: Called with the mean gradients, the same on every device.
        mesh: From :func:`~jaxpath.devices.mesh.make_mesh`.

    Returns:
        ``step(state, frozen, batch) -> (state, metrics)``. The state passed in is donated: its
        arrays are deleted. ``batch`` comes from
        :func:`~jaxpath.devices.mesh.shard_batch`. ``metrics`` holds scalars: exact means of
        the objective's metrics, ``loss``, ``grad_norm`` and ``param_norm`` (Euclidean norms of
        the mean gradient and of the parameters after the step).
    """

    def step(state: TrainState, frozen: Any, batch: Batch) -> tuple[TrainState, Metrics]:
        keys = _example_keys(state, batch)
        weight = _weight(batch)

        def total_loss(params):
            losses, aux = objective(params, state.extra, frozen, batch, keys)
            _check_per_example("losses", losses, weight)
            return Mean.of(losses, weight).total, (losses, aux)

        grads, (losses, (extra, metrics)) = jax.grad(total_loss, has_aux=True)(state.params)
        means = {name: _as_mean(name, values, weight) for name, values in metrics.items()}
        # Sums travel, and the mean follows: devices may hold different numbers of real examples.
        # Gradients are added up here and only here, hence check_vma=False below: with it, JAX adds
        # up the gradients of replicated parameters by itself, and they would be counted twice.
        parts = grads, Mean.of(losses, weight), means
        # On one device psum would only add a copy.
        grads, loss, means = lax.psum(parts, AXIS) if mesh.size > 1 else parts
        # A factor goes into what reads the gradients; a division would be a pass over all of them.
        grads = optax.tree.scale(1 / loss.count, grads)
        with jax.named_scope("update"):
            updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
            updated = optax.apply_updates(state.params, updates)
        new = TrainState(step=state.step + 1, params=updated, opt_state=opt_state, extra=extra, key=state.key)
        return new, {
            **{name: mean.value for name, mean in means.items()},
            "loss": loss.value,
            "grad_norm": optax.tree.norm(grads),
            "param_norm": optax.tree.norm(new.params),
        }

    sharded = jax.shard_map(
        step, mesh=mesh, in_specs=(P(), P(), P(AXIS)), out_specs=(P(), P()), check_vma=False
    )
    return jit(sharded, platform=platform_of(mesh), donate_argnums=0)


def _example_keys(state: TrainState, batch: Batch) -> Array:
    key = jax.random.fold_in(state.key, state.step)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, batch[POSITION])


def _weight(batch: Batch) -> Array:
    weight = batch.get("weight")
    return jnp.ones(batch[POSITION].shape, jnp.float32) if weight is None else weight


def _as_mean(name: str, values: Array | Mean, weight: Array) -> Mean:
    if name in RESERVED:
        raise ValueError(f"the objective returns a metric {name!r}, but the step itself computes {RESERVED}")
    if isinstance(values, Mean):
        return values
    if jnp.ndim(values) == 0:
        return Mean(values.astype(jnp.float32), jnp.ones((), jnp.float32))
    _check_per_example(f"metrics[{name!r}]", values, weight)
    return Mean.of(values.astype(jnp.float32), weight)


def _check_per_example(name: str, values: Array, weight: Array) -> None:
    if values.shape != weight.shape:
        raise ValueError(
            f"the objective returns {name} of shape {values.shape}, but one value per example, shape "
            f"{weight.shape}, is expected; leave the mean to the step"
        )
