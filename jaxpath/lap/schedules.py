"""When which term counts, and which parameters learn: from scratch, and plugged into a trained net."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array
from jax.interpreters.partial_eval import dce_jaxpr

from jaxpath.lap.nets import read
from jaxpath.lap.objective import LapWeights, WeightsAt
from jaxpath.types import InputError, Params, Target

Trainable = Literal["heads", "sharp_heads", "from_first_lap", "all"]

THETA_RATE = 10.0
"""Learning rate of the sharpness beside that of everything else, where it starts near 0: its gradient
vanishes with it."""


class Stage(NamedTuple):
    """One stage of plugging attention into a trained net; our choice.

    Attributes:
        trainable: "heads": score heads, the distinguishing head, and sharpness behind a gate, which lets
            hardly anything of it through; "sharp_heads": the sharpness of average and final pools as well,
            which have none; "from_first_lap": those and everything from the first LAP site on, gates
            included; "all".
        epochs: Passes over the training images.
        learning_rate: Peak of Adam's.
        classify: Weight of the cross-entropy.
    """

    trainable: Trainable
    epochs: float
    learning_rate: float
    classify: float


PLUG_IN = (Stage("heads", 3, 1e-3, 0.0), Stage("from_first_lap", 5, 1e-4, 1.0))


def ramped(
    weights: LapWeights,
    num_steps: int,
    *,
    ramp: tuple[float, float] = (0.0, 0.3),
) -> WeightsAt:
    """Weights that rise linearly from 0; the cross-entropy counts at once.

    Args:
        weights: At the end.
        num_steps: Of the run.
        ramp: Shares of the run between which the LAP terms rise.
    """
    start, stop = ramp

    def weights_at(step: Array) -> LapWeights:
        risen = jnp.clip((step / num_steps - start) / max(stop - start, 1e-6), 0, 1)
        scaled = LapWeights(*(risen * value for value in weights))
        return scaled._replace(classification=weights.classification)

    return weights_at


def constant(weights: LapWeights) -> WeightsAt:
    """The same weights at every step."""
    return lambda step: weights


def make_optimizer(
    learning_rate: optax.ScalarOrSchedule,
    target: Target,
    params: Mapping[str, Any],
    trainable: Trainable,
    *,
    theta_rate: float = THETA_RATE,
) -> optax.GradientTransformation:
    """Adam for what is ``trainable``, faster for the sharpness, and nothing for the rest.

    Args:
        learning_rate: A number or a schedule.
        target: From :func:`~jaxpath.lap.nets.extend`.
        params: From :func:`~jaxpath.lap.objective.init_training`.
        trainable: See :class:`Stage`.
        theta_rate: How many times as fast the sharpness learns.
    """

    def rate_of_theta(step: Any) -> Any:
        return theta_rate * (learning_rate(step) if callable(learning_rate) else learning_rate)

    return optax.multi_transform(
        {
            "theta": optax.adam(rate_of_theta),
            "rest": optax.adam(learning_rate),
            "frozen": optax.set_to_zero(),
        },
        trainable_labels(target, params, trainable),
    )


def trainable_labels(target: Target, params: Mapping[str, Any], trainable: Trainable) -> Params:
    """What each array of ``params`` is: "theta", "rest" or "frozen"."""
    if trainable not in get_args(Trainable):
        raise InputError(f"{trainable!r} was to be trained; expected one of {', '.join(get_args(Trainable))}")
    flat = flatten_dict(dict(params))
    before = _before_first_lap(target, params) if trainable == "from_first_lap" else set()

    def label(path: Sequence[str]) -> str:
        head = path[0] == "distinguish" or (path[1].startswith("lap") and path[-1] != "gate")
        if (trainable in ("heads", "sharp_heads") and not head) or path[1:] in before:
            return "frozen"
        # What is frozen behind the pool reads what it attends to, and nothing of its decisions is asked for.
        if trainable == "heads" and path[-1] == "theta" and (*path[:-1], "gate") not in flat:
            return "frozen"
        return "theta" if path[-1] == "theta" else "rest"

    return unflatten_dict({path: label(path) for path in flat})


def _before_first_lap(target: Target, params: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Parameters of the net that the first site's scores depend on, but for those of that site.

    Found in the trace, so that no name of a layer matters.
    """
    statistics = {
        name: value
        for name, value in jax.eval_shape(target.init, jax.random.key(0)).items()
        if name != "params"
    }
    image = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.float32)

    def first_scores(net: Params, statistics: Params, image: Array) -> Array:
        scores = read(target.apply({**statistics, "params": net}, image)).scores
        return scores[min(scores)]

    traced = jax.make_jaxpr(first_scores)(params["net"], statistics, image)
    _, used = dce_jaxpr(traced.jaxpr, [True])
    # Arguments are flat in the order of the tree's leaves.
    paths = [tuple(k.key for k in path) for path, _ in jax.tree_util.tree_leaves_with_path(params["net"])]
    return {path for path, here in zip(paths, used, strict=False) if here and not path[0].startswith("lap")}
