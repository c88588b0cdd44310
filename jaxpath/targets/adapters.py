"""A classifier that somebody else wrote as a :class:`~jaxpath.types.Target`, without touching its code.

The function is traced, its activations are found in the trace (:mod:`jaxpath.targets.survey`), and the trace
is run with a tap on each of them. Nothing is patched, and parameters stay an argument.
"""

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import errors, nnx
from flax import linen as nn
from jax import Array

from jaxpath.compiling import run_once
from jaxpath.gating import Taps, check_gates
from jaxpath.targets.activation_detection import ACTIVATIONS, find_nonlinearities, write_out_activations
from jaxpath.targets.computing import computing
from jaxpath.targets.linen import as_input
from jaxpath.targets.program import Value
from jaxpath.targets.site_layout import Layout, SiteLayout
from jaxpath.targets.survey import Forward, Question, Survey, survey, warn_of_left_out
from jaxpath.types import Gates, InputError, Params, Preprocessing, Target, TargetOutput


def adapt_function(
    forward: Forward,
    *,
    init: Callable[[Array], Params],
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
) -> Target:
    """Makes a target of any classifier that is a pure JAX function.

    Sites are its activations of maps, tokens and dense layers, whichever axis the channels are. They are
    named by the named scopes around the call (in Linen, the modules) and the activation. Loops of known
    length are written out, each turn with sites of its own.

    Args:
        forward: The classifier as it predicts: BatchNorm by its running statistics, no dropout.
        init: ``init(key) -> params``, freshly initialised; only its shapes are used here.
        name: Name of the target.
        preprocessing: How pictures become inputs; its crop and mean give the input's shape.
        activations: Names of activation functions. Your own counts if it is decorated with ``jax.jit``;
            it should be 0 at 0.
        layout: ``"NHWC"`` or ``"NCHW"``: where the activations have their channels, last or after the
            batch. None: found in the trace.

    Returns:
        A target to explain; its ``report()`` says what was seen and not taken. It cannot be trained: its
        ``train_apply`` raises an :class:`InputError`.

    Raises:
        InputError: ``forward`` fails, mixes images, or returns something else than logits; or no activation
            was found, or one lies in a branch, in a loop of unknown length or in a function with a
            derivative of its own; or a name in ``activations`` is never called.

    >>> from jaxpath.types import Preprocessing
    >>> def init(key):
    ...     return {"first": jax.random.normal(key, (16, 5)), "last": jnp.ones((5, 3))}
    >>> def forward(params, images):
    ...     hidden = jax.nn.relu(images.reshape(len(images), -1) @ params["first"])
    ...     return hidden @ params["last"]
    >>> preprocessing = Preprocessing(resize=None, crop=(4, 4), mean=(0.5,), std=(0.25,))
    >>> adapt_function(forward, init=init, name="two_layers", preprocessing=preprocessing).sites
    (Site(name='000.relu', channels=5, spatial=None),)
    """
    if layout not in (None, "NHWC", "NCHW"):
        raise InputError(f"layout={layout!r} was given for {name}; expected 'NHWC', 'NCHW' or None")
    # The key is made within: outside it would be a program of its own.
    shapes = jax.eval_shape(lambda: init(jax.random.key(0)))
    names = frozenset(activations)
    found = survey(Question(forward, shapes, preprocessing, name, names, layout))
    warn_of_left_out(found, name=name)
    function = _Function(forward, names, found, name)

    def apply(params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        check_gates(gates, found.sites)
        _check_params(params, shapes, name=name)
        images = as_input(images, preprocessing, name=name)
        taps = Taps(gates)
        logits = function(params, images, taps, own_size=images.shape[1:3] == preprocessing.crop)
        return TargetOutput(logits.astype(jnp.float32), taps.features)

    def train_apply(*_: Any, **__: Any) -> tuple[TargetOutput, Params]:
        raise InputError(
            f"{name} was to be trained, but an adapted classifier is only explained; train it with its own "
            "code and pass its parameters"
        )

    return Target(
        name,
        found.sites,
        found.num_classes,
        preprocessing,
        init,
        apply,
        train_apply,
        activations=tuple(sorted(names)),
        notes=found.notes,
    )


class _Function(NamedTuple):
    """A classifier that is traced each time it is run."""

    forward: Forward
    activations: frozenset[str]
    found: Survey
    name: str

    def __call__(self, params: Params, images: Array, taps: Taps, *, own_size: bool) -> Array:
        traced = jax.make_jaxpr(self.forward)(params, images)
        program = write_out_activations(
            traced, self.activations, lambda number, _: number in self.found.over_images
        )
        pixels = [program.inputs[-1]]
        nonlinearities = find_nonlinearities(program, self.activations, moving=pixels, images=pixels)
        activations = [nonlinearity.exit for nonlinearity in nonlinearities if nonlinearity.is_taken]
        if len(activations) != self.found.num_activations:
            raise InputError(
                f"{self.name} calls {len(activations)} activations on images of shape {images.shape}; "
                f"expected the {self.found.num_activations} of its own image size: give it images of that "
                "size"
            )
        numbers = {value: number for number, value in enumerate(activations)}

        def visit(value: Value, activation: Array) -> Array:
            layout = self.found.layouts.get(numbers.get(value, -1))
            if layout is None:
                return activation
            return _tap(taps, self.found.places[numbers[value]], activation, layout, own_size)

        sites = {value for value, number in numbers.items() if number in self.found.layouts}
        return program.run(jax.tree.leaves((params, images)), visit, computing(program, sites))[0]


def _tap(taps: Taps, place: str, activation: Array, layout: SiteLayout, own_size: bool) -> Array:
    is_gated = taps.gates_next(place)
    tapped = taps(place, layout.to_site(activation, own_size=own_size))
    # Without a gate the network goes on with what it had: nothing is turned around and back.
    if layout.is_plain() or is_gated:
        return layout.from_site(tapped, activation)
    return activation


def _check_params(params: Params, shapes: Params, *, name: str) -> None:
    """Parameters of another structure than the target's own are refused with what is missing."""
    given, expected = (
        {jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves}
        for leaves in (jax.tree_util.tree_leaves_with_path(tree) for tree in (params, shapes))
    )
    if missing := sorted(expected - given):
        raise InputError(
            f"the parameters given to {name} lack {', '.join(missing[:3])}"
            f"{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}; they hold "
            f"{', '.join(sorted(given)[:3]) or 'nothing'}; expected all that {name}'s init returns, with "
            "statistics: in Linen, the variables {'params': ..., 'batch_stats': ...}, not variables['params']"
        )


def adapt_linen(
    module: nn.Module,
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
    **options: Any,
) -> Target:
    """Makes a target of a Linen module; its parameters are the module's variables.

    Args:
        module: Called as ``module(images, **options)``, returns logits [B, K].
        name: Name of the target.
        preprocessing: How pictures become inputs.
        activations: See :func:`adapt_function`.
        layout: See :func:`adapt_function`.
        **options: What the module needs to predict, such as ``train=False``; passed on at every call.

    Raises:
        InputError: See :func:`adapt_function`; or the module takes other options, or wants to change its
            statistics or to draw random numbers.

    >>> from flax import linen as nn
    >>> from jaxpath.types import Preprocessing
    >>> module = nn.Sequential([nn.Conv(6, (3, 3)), nn.relu, lambda x: x.mean(axis=(1, 2)), nn.Dense(3)])
    >>> preprocessing = Preprocessing(resize=None, crop=(4, 4), mean=(0.5,), std=(0.25,))
    >>> print(adapt_linen(module, name="small", preprocessing=preprocessing).report())
    small: 3 classes, 1 sites
      000.relu      6 channels  4 x 4
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"{name} was made of {_kind(module)}; expected a Linen module, such as CNN()")
    if module.scope is not None:
        module, _ = module.unbind()
    _check_options(type(module).__call__, (module, None), options, name=name)
    example = np.zeros((1, *preprocessing.shape), np.float32)

    def init(key: Array) -> Params:
        with _as_in_prediction(name, options):
            return run_once(lambda key: module.init(key, example, **options), key)

    def forward(params: Params, images: Array) -> Array:
        with _as_in_prediction(name, options):
            return cast(Array, module.apply(params, images, **options))

    return adapt_function(
        forward, init=init, name=name, preprocessing=preprocessing, activations=activations, layout=layout
    )


@contextlib.contextmanager
def _as_in_prediction(name: str, options: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except (errors.ModifyScopeVariableError, errors.InvalidRngError) as error:
        raise InputError(
            f"{name} was called with {dict(options) or 'no options'} and behaves as in training; expected "
            "fixed statistics and no dropout: pass the option that switches them off, such as train=False"
        ) from error


def adapt_nnx(
    module: nnx.Module | Callable[..., nnx.Module],
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
    **options: Any,
) -> Target:
    """Makes a target of an NNX module; :func:`nnx_params` reads the parameters of a trained one.

    Args:
        module: A trained module, whose parameters ``init`` returns then; or ``make(rngs=nnx.Rngs(...))``
            that returns one, such as its class. It is switched to ``eval()`` and called as
            ``module(images, **options)``; yours stays as it is.
        name: Name of the target.
        preprocessing: How pictures become inputs.
        activations: See :func:`adapt_function`.
        layout: See :func:`adapt_function`.
        **options: What the module needs to predict, passed on at every call.

    Raises:
        InputError: See :func:`adapt_function`; or the module takes other options.

    >>> from flax import nnx
    >>> from jaxpath.types import Preprocessing
    >>> def make(rngs):
    ...     layers = nnx.Conv(1, 6, (3, 3), rngs=rngs), nnx.relu, nnx.Linear(6, 3, rngs=rngs)
    ...     return nnx.Sequential(*layers, lambda x: x.mean(axis=(1, 2)))
    >>> preprocessing = Preprocessing(resize=None, crop=(4, 4), mean=(0.5,), std=(0.25,))
    >>> print(adapt_nnx(make, name="small", preprocessing=preprocessing).report())
    small: 3 classes, 1 sites
      000.relu      6 channels  4 x 4
    """
    make = _maker_of(module, name=name)

    def create(key: Array) -> nnx.Module:
        # A copy: what was made outside of a trace may not be switched within.
        made = nnx.merge(*nnx.split(make(key)))
        made.eval()
        return made

    def parts(module: nnx.Module) -> Any:
        # Dropout holds random keys even where it does nothing; they are no parameters.
        return nnx.split(module, nnx.RngState, ...)

    graph, _, shapes = parts(nnx.eval_shape(lambda: create(jax.random.key(0))))
    keys = run_once(lambda key: parts(create(key))[1], jax.random.key(0))
    example = nnx.merge(graph, keys, shapes)
    _check_options(example.__call__, (None,), options, name=name)

    def forward(params: Params, images: Array) -> Array:
        state = jax.tree.map(lambda leaf: leaf, shapes)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, keys, state)(images, **options)

    return adapt_function(
        forward,
        init=lambda key: run_once(lambda key: nnx_params(create(key)), key),
        name=name,
        preprocessing=preprocessing,
        activations=activations,
        layout=layout,
    )


def _maker_of(module: Any, *, name: str) -> Callable[[Array], nnx.Module]:
    if isinstance(module, nnx.Module):
        return lambda key: module
    if not callable(module):
        raise InputError(
            f"{name} was made of {_kind(module)}; expected an NNX module, its class, or a function of rngs "
            "that makes it"
        )
    _check_options(module, (), {"rngs": None}, name=name)
    return lambda key: module(rngs=nnx.Rngs(key))


def nnx_params(module: nnx.Module) -> Params:
    """The parameters and statistics of an NNX module as nested dicts of arrays, for :func:`adapt_nnx`."""
    return nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngState)))


def _check_options(
    call: Callable[..., Any], arguments: tuple[Any, ...], options: Mapping[str, Any], *, name: str
) -> None:
    """Options that a call does not take, and those that it needs, are a mistake."""
    signature = inspect.signature(call)
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        takes = list(signature.parameters)[len(arguments) :]
        raise InputError(
            f"{name} is called with {', '.join(options) or 'no options'}: {error}; expected options among "
            f"{', '.join(takes) or 'none'}: give them to the adapter, such as train=False"
        ) from error


def _kind(thing: Any) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"
