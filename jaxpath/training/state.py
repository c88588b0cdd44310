"""What a training run carries from step to step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array


class TrainState(NamedTuple):
    """Everything that a step changes, and all that a checkpoint must hold to repeat it.

    Attributes:
        step: Number of steps done, int32 scalar.
        params: What is trained.
        opt_state: The optimizer's state.
        extra: What is carried from step to step without being differentiated: a dual variable,
            BatchNorm's running statistics; ``{}`` if nothing.
        key: Typed random key of the run. It never changes: a step uses ``fold_in(key, step)``, so
            that a resumed run draws the same numbers as one that was never stopped.
    """

    step: Array
    params: Any
    opt_state: optax.OptState
    extra: Any
    key: Array


def create_state(
    params: Any, optimizer: optax.GradientTransformation, *, key: Array, extra: Any = None
) -> TrainState:
    """Returns the state before the first step.

    The arrays are copies, because steps donate their state: ``params`` stays usable afterwards.

    Args:
        params: Initial parameters, any pytree of arrays.
        optimizer: Its ``init`` makes the optimizer's state.
        key: Typed random key, from ``jax.random.key``.
        extra: State that is not differentiated, any pytree of arrays; nothing by default.
    """
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        extra={} if extra is None else extra,
        key=key,
    )
    return jax.tree.map(jnp.copy, state)
