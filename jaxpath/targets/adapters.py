"""A classifier that somebody else wrote as a :class:`~jaxpath.types.Target`, without touching its code.

The function is traced, its activations are found in the trace (:mod:`jaxpath.targets.activation_detection`),
and the trace is run with a tap on each of them. Nothing is patched, and parameters stay an argument.
"""

import itertools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import errors, nnx
from flax import linen as nn
from jax import Array

from jaxpath.compiling import run_once
from jaxpath.gating import Taps, check_gates
from jaxpath.targets.activation_detection import ACTIVATIONS
from jaxpath.targets.jaxpr_runner import Visit, evaluate
from jaxpath.targets.linen import as_input
from jaxpath.types import Gates, InputError, Params, Preprocessing, Site, Target, TargetOutput

Forward = Callable[[Params, Array], Array]
"""``forward(params, images) -> logits``: [B, H, W, C] normalised floats to [B, K]."""


def adapt_function(
    forward: Forward,
    *,
    init: Callable[[Array], Params],
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
) -> Target:
    """Makes a target of any classifier that is a pure JAX function.

    Sites are the calls of activations that the function makes with the batch as first axis and the
    channels as last one. They are named by the named scopes around the call (in Linen, the modules) and the
    activation.

    Args:
        forward: The classifier as it predicts: BatchNorm by its running statistics, no dropout.
        init: ``init(key) -> params``, freshly initialised; only its shapes are used here.
        name: Name of the target.
        preprocessing: How pictures become inputs; its crop and mean give the input's shape.
        activations: Names of activation functions. Your own counts if it is decorated with ``jax.jit``;
            it should be 0 at 0.

    Returns:
        A target to explain. It cannot be trained: its ``train_apply`` raises an :class:`InputError`.

    Raises:
        InputError: ``forward`` returns something else than logits; or no activation was found; or one lies
            in a loop or a branch, or has another shape than [B, H, W, C] or [B, C].
    """
    function = _Function(forward, frozenset(activations))
    survey = _survey(function, jax.eval_shape(init, jax.random.key(0)), preprocessing, name=name)

    def apply(params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        check_gates(gates, survey.sites)
        taps, calls = Taps(gates), itertools.count()

        def visit(_: str, activation: Array) -> Array:
            place = survey.places.get(next(calls))
            return activation if place is None else taps(place, activation)

        images = as_input(images, preprocessing, name=name)
        logits = function(params, images, visit)
        if (num_calls := next(calls)) != survey.num_calls:
            raise InputError(
                f"{name} calls {num_calls} activations on images of shape {images.shape}; expected the "
                f"{survey.num_calls} of its own image size: give it images of {preprocessing.crop}"
            )
        return TargetOutput(logits.astype(jnp.float32), taps.features)

    def train_apply(*_: Any, **__: Any) -> tuple[TargetOutput, Params]:
        raise InputError(
            f"{name} was to be trained, but an adapted classifier is only explained; train it with its own "
            "code and pass its parameters"
        )

    return Target(name, survey.sites, survey.num_classes, preprocessing, init, apply, train_apply)


def adapt_linen(
    module: nn.Module,
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    **options: Any,
) -> Target:
    """Makes a target of a Linen module; its parameters are the module's variables.

    Args:
        module: Called as ``module(images, **options)``, returns logits [B, K].
        name: Name of the target.
        preprocessing: How pictures become inputs.
        activations: See :func:`adapt_function`.
        **options: What the module needs to predict, such as ``train=False``.

    Raises:
        InputError: See :func:`adapt_function`; or the module wants to change its statistics or to draw
            random numbers.
    """
    example = jnp.zeros((1, *preprocessing.shape))

    def init(key: Array) -> Params:
        return run_once(lambda key: module.init(key, example, **options), key)

    def forward(params: Params, images: Array) -> Array:
        try:
            return cast(Array, module.apply(params, images, **options))
        except (errors.ModifyScopeVariableError, errors.InvalidRngError) as error:
            raise InputError(
                f"{name} was called with {options or 'no options'} and behaves as in training; expected "
                "fixed statistics and no dropout: pass the option that switches them off, such as train=False"
            ) from error

    return adapt_function(forward, init=init, name=name, preprocessing=preprocessing, activations=activations)


def adapt_nnx(
    make: Callable[..., nnx.Module],
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
) -> Target:
    """Makes a target of an NNX module; :func:`nnx_params` reads the parameters of a trained one.

    Args:
        make: ``make(rngs=nnx.Rngs(...))`` returns the module, which is switched to ``eval()`` and called as
            ``module(images)``; often just its class.
        name: Name of the target.
        preprocessing: How pictures become inputs.
        activations: See :func:`adapt_function`.

    Raises:
        InputError: See :func:`adapt_function`.
    """

    def create(key: Array) -> nnx.Module:
        module = make(rngs=nnx.Rngs(key))
        module.eval()
        return module

    def parts(module: nnx.Module) -> Any:
        # Dropout holds random keys even where it does nothing; they are no parameters.
        return nnx.split(module, nnx.RngState, ...)

    graph, _, shapes = parts(nnx.eval_shape(lambda: create(jax.random.key(0))))
    keys = run_once(lambda key: parts(create(key))[1], jax.random.key(0))

    def forward(params: Params, images: Array) -> Array:
        state = jax.tree.map(lambda leaf: leaf, shapes)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, keys, state)(images)

    return adapt_function(
        forward,
        init=lambda key: run_once(lambda key: nnx_params(create(key)), key),
        name=name,
        preprocessing=preprocessing,
        activations=activations,
    )


def nnx_params(module: nnx.Module) -> Params:
    """The parameters and statistics of an NNX module as nested dicts of arrays, for :func:`adapt_nnx`."""
    return nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngState)))


class _Function(NamedTuple):
    """A classifier that is traced each time it is run."""

    forward: Forward
    activations: frozenset[str]

    def __call__(self, params: Params, images: Array, visit: Visit) -> Array:
        traced = jax.make_jaxpr(self.forward)(params, images)
        inputs = jax.tree.leaves((params, images))
        return evaluate(traced, inputs, names=self.activations, visit=visit)[0]


class _Survey(NamedTuple):
    """What a trace shows: the sites, the places of the calls that are sites, by number, and K."""

    sites: tuple[Site, ...]
    num_calls: int
    places: dict[int, str]
    num_classes: int


def _survey(function: _Function, params: Params, preprocessing: Preprocessing, *, name: str) -> _Survey:
    """Traces two batch sizes, which tell the batch axis from all others."""
    two, three = (jax.ShapeDtypeStruct((batch, *preprocessing.shape), jnp.float32) for batch in (2, 3))
    num_classes = _count_classes(jax.eval_shape(function.forward, params, two), name=name)
    # What stays the same, such as a function of the weights, is none.
    calls = _calls(function, params, two)
    pairs = zip(calls, _calls(function, params, three), strict=True)
    activations = {number: call for number, (call, other) in enumerate(pairs) if call != other}
    if not activations:
        raise InputError(
            f"no activation was found in {name}; expected one of {', '.join(sorted(function.activations))}: "
            "decorate your own with jax.jit and name it in activations, or write the target by hand "
            "(docs/own-models.md)"
        )
    for place, shape in activations.values():
        if len(shape) not in (2, 4) or shape[0] != 2:
            raise InputError(
                f"the activation {place!r} of {name} has shape {shape} for 2 images; expected [B, H, W, C] "
                "or [B, C]: leave its name out of activations, or write the target by hand "
                "(docs/own-models.md)"
            )
    places = dict(zip(activations, _short([place for place, _ in activations.values()]), strict=True))
    sites = tuple(
        Site(f"{position:03d}.{places[number]}", shape[-1], shape[1:3] if len(shape) == 4 else None)
        for position, (number, (_, shape)) in enumerate(activations.items())
    )
    return _Survey(sites, len(calls), places, num_classes)


def _calls(
    function: _Function, params: Params, images: jax.ShapeDtypeStruct
) -> list[tuple[str, tuple[int, ...]]]:
    """Place and shape of every activation, in the order of the calls."""
    calls = []

    def visit(place: str, activation: Array) -> Array:
        calls.append((place, activation.shape))
        return activation

    jax.eval_shape(lambda params, images: function(params, images, visit), params, images)
    return calls


def _count_classes(output: Any, *, name: str) -> int:
    shape = getattr(output, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != 2:
        result = "no array" if shape is None else f"shape {shape}"
        raise InputError(
            f"{name} returned {result} for 2 images; expected logits [B, K]: choose them from its results "
            "with adapt_function and a lambda"
        )
    return shape[1]


def _short(places: list[str]) -> list[str]:
    """Places without the module that contains them all, as dotted names.

    >>> _short(["CNN/Block_0/relu", "CNN/relu"])
    ['Block_0.relu', 'relu']
    """
    parts = [place.split("/") for place in places]
    if all(len(part) > 1 and part[0] == parts[0][0] for part in parts):
        parts = [part[1:] for part in parts]
    return [".".join(part) for part in parts]
