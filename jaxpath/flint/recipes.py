"""What was published for four data sets: architecture, weights, stages, schedule (official code).

Parekh et al. 2021, arXiv 2010.09345, repository jayneelparekh/FLINT, commit f691de0.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from jaxpath.types import InputError, Params


class LossWeights(NamedTuple):
    """Weights of the terms; the defaults are MNIST's last stage.

    Attributes:
        prediction: Cross-entropy of the target with the labels.
        reconstruction: gamma, input fidelity.
        output: beta, output fidelity.
        sparsity: Mean of |a|.
        entropy: delta, concentration less diversity.
        diversity: mu, of the diversity within the entropy term.
    """

    prediction: float | Array = 1.0
    reconstruction: float | Array = 0.8
    output: float | Array = 0.5
    sparsity: float | Array = 0.1
    entropy: float | Array = 0.2
    diversity: float | Array = 1.0


Stages = Mapping[int, LossWeights]
"""First epoch of each stage, counted from 1 -> its weights."""


class Recipe(NamedTuple):
    """A published training run.

    Attributes:
        sites: Feature maps that the attributes read.
        interpreter: Fields of :class:`~jaxpath.flint.interpreter.Interpreter`.
        stages: Loss weights over time.
        epochs: Passes over the training images.
        batch_size: Images per step.
        learning_rate: Adam's.
        restart: (epoch, learning rate) from which Adam starts anew, counted from 1; None: never.
        reconstruction: Norm of the input fidelity.
    """

    sites: tuple[str, ...]
    interpreter: Mapping[str, Any]
    stages: Stages
    epochs: float
    batch_size: int
    learning_rate: float = 1e-4
    restart: tuple[int, float] | None = None
    reconstruction: Literal["l1", "l2"] = "l2"


def _stages(last: LossWeights, *, entropy_from: int, early_sparsity: float) -> dict[int, LossWeights]:
    """Reconstruction from epoch 1, a little sparsity at 2, output fidelity and sparsity from 3."""
    first = last._replace(output=0.0, sparsity=0.0, entropy=0.0)
    return {
        1: first,
        2: first._replace(sparsity=early_sparsity),
        3: last._replace(entropy=0.0),
        entropy_from: last,
    }


_RESNET_SITES = ("012.layer3.1.relu2", "014.layer4.0.relu2")

MNIST = Recipe(
    sites=("001.features.5",),
    interpreter={"num_attributes": 25, "slope": 0.01, "decoder": "conv", "grid_channels": 2}
    | {"decoder_widths": (8,)},
    stages=_stages(LossWeights(), entropy_from=5, early_sparsity=0.0),
    epochs=12,
    batch_size=16,
)
"""MNIST and FashionMNIST, for ``lenet``."""

QUICKDRAW = Recipe(
    sites=_RESNET_SITES,
    interpreter={"num_attributes": 24, "slope": 0.0, "decoder": "dense", "grid_channels": 2}
    | {"decoder_widths": (4, 8)},
    stages=_stages(
        LossWeights(reconstruction=5.0, output=0.1, sparsity=0.3, entropy=0.1),
        entropy_from=4,
        early_sparsity=0.02,
    ),
    epochs=12,
    batch_size=64,
)
"""QuickDraw with ten classes, for ``resnet18_normless``."""

CIFAR10 = Recipe(
    sites=_RESNET_SITES,
    interpreter={"num_attributes": 36, "slope": 0.0, "decoder": "dense", "grid_channels": 10}
    | {"decoder_widths": (24, 8)},
    stages=_stages(
        LossWeights(reconstruction=2.0, output=0.6, sparsity=0.15, entropy=0.2),
        entropy_from=4,
        early_sparsity=0.001,
    ),
    epochs=25,
    batch_size=64,
    restart=(19, 4e-5),
    reconstruction="l1",
)
"""CIFAR-10, for ``resnet18_normless``."""


def stage_weights(epoch: int | Array, stages: Stages) -> LossWeights:
    """The weights of the stage in which ``epoch`` [], counted from 1, lies.

    >>> float(stage_weights(2, MNIST.stages).output), float(stage_weights(3, MNIST.stages).output)
    (0.0, 0.5)
    """
    starts = sorted(stages)
    if not starts or starts[0] != 1:
        raise InputError(f"the stages start at the epochs {starts}; expected the first one to start at 1")
    place = (jnp.asarray(epoch) >= jnp.array(starts)).sum() - 1
    return LossWeights(
        *(jnp.array(column)[place] for column in zip(*(stages[s] for s in starts), strict=True))
    )


def by_step(stages: Stages, *, batch_size: int, num_examples: int) -> Callable[[Array], LossWeights]:
    """The weights of a step, counted from 0, in passes of ``num_examples`` images."""
    return lambda step: stage_weights(step * batch_size // num_examples + 1, stages)


def adam(
    learning_rate: float, *, restart_step: int | None = None, restart_rate: float = 0.0
) -> optax.GradientTransformation:
    """Adam that forgets its moments before step ``restart_step``, counted from 0, and takes another rate.

    The official code makes a new optimizer there.
    """
    if restart_step is None:
        return optax.adam(learning_rate)
    moments = optax.scale_by_adam()

    def init(params: Params) -> tuple[Array, optax.OptState]:
        return jnp.zeros((), jnp.int32), moments.init(params)

    def update(
        grads: Params, state: tuple[Array, optax.OptState], params: Params | None = None
    ) -> tuple[Params, tuple[Array, optax.OptState]]:
        del params
        count, inner = state
        inner = optax.tree.where(count == restart_step, moments.init(grads), inner)
        updates, inner = moments.update(grads, inner)
        rate = jnp.where(count < restart_step, learning_rate, restart_rate)
        return optax.tree.scale(-rate, updates), (count + 1, inner)

    return optax.GradientTransformation(init, update)
