"""What the trace of a classifier shows: its sites, what was seen and not taken, and what is wrong with it."""

import math
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from jaxpath.compiling import direct_sums
from jaxpath.targets.activation_detection import (
    ACTIVATIONS,
    Nonlinearity,
    check_reachable,
    find_nonlinearities,
    write_out_activations,
)
from jaxpath.targets.axes import follow_axes
from jaxpath.targets.program import Operation, Program, Value, join
from jaxpath.targets.site_layout import Layout, SiteLayout, find_layout
from jaxpath.types import InputError, Params, Preprocessing, Site

Forward = Callable[[Params, Array], Array]
"""``forward(params, images) -> logits``: [B, H, W, C] normalised floats to [B, K]."""

_LAYERS = ("dot_general", "conv_general_dilated")

_LONGEST_MESSAGE = 200
"""Letters of somebody else's error that are repeated."""

_BOUNDING = {"exp", "exp2", "logistic", "tanh", "erf", "div", "max", "min", "clamp", "integer_pow"}
"""Operations without one of which no result is a probability."""

_LONGEST_END, _LARGEST_START = 60, 1_000_000
"""Operations after the last layer, and numbers that they start from, that are run to see probabilities."""


class Survey(NamedTuple):
    """What the trace of a classifier shows.

    Attributes:
        sites: Its sites.
        layouts: How the activations become those of the sites, by the number of the activation.
        places: Name of each site without its position, likewise.
        num_activations: How many activations there are, sites or not.
        num_classes: K.
        over_images: Numbers of the loops that go over the images.
        notes: What was seen and not taken, and what was assumed, one sentence each.
        left_out: Nonlinearities of maps and tokens that were not taken.
    """

    sites: tuple[Site, ...]
    layouts: dict[int, SiteLayout]
    places: dict[int, str]
    num_activations: int
    num_classes: int
    over_images: frozenset[int]
    notes: tuple[str, ...]
    left_out: int


class Question(NamedTuple):
    """What is surveyed.

    Attributes:
        forward: The classifier.
        params: Its parameters, or their shapes.
        preprocessing: How pictures become inputs.
        name: Of the target.
        activations: Names of activations.
        layout: Where channels are, if the user said it.
    """

    forward: Forward
    params: Params
    preprocessing: Preprocessing
    name: str
    activations: frozenset[str]
    layout: Layout | None


def survey(question: Question) -> Survey:
    """Traces a classifier once, for a number of images that no other axis has as a factor.

    So the batch is recognised in every shape, and where it is missing images have been mixed.

    Raises:
        InputError: See :func:`~jaxpath.targets.adapt_function`.
    """
    batch = _choose_batch(question)
    traced, num_classes = _trace(question, batch)
    over_images: set[int] = set()

    def goes_over_images(number: int, loop: JaxprEqn) -> bool:
        if loop.params["length"] == batch:
            over_images.add(number)
        return loop.params["length"] == batch

    program = write_out_activations(traced, question.activations, goes_over_images)
    check_reachable(program, question.activations, name=question.name)
    images = program.inputs[-1]
    moving = program.depending_on([images])
    _check_images_apart(program, moving, batch, name=question.name)
    _check_logits(program, moving, name=question.name)
    found = find_nonlinearities(program, question.activations, moving=[images], images=[images])
    _check_names(found, question)
    activations = [nonlinearity for nonlinearity in found if nonlinearity.is_taken]
    axes = follow_axes(program, images, moving)
    layouts = {
        number: layout
        for number, activation in enumerate(activations)
        if (layout := _layout_of(activation, axes, batch, question.layout)) is not None
    }
    left = [n for n in found if not (n.is_taken or n.follows or n.is_of_pixels)]
    left += [activation for number, activation in enumerate(activations) if number not in layouts]
    if not layouts:
        raise InputError(_nothing_found(question, left, batch))
    names = _short([join(activations[number].scope, activations[number].name) for number in layouts])
    places = dict(zip(layouts, names, strict=True))
    sites = tuple(
        Site(f"{position:03d}.{places[number]}", layout.shape[-1], layout.spatial())
        for position, (number, layout) in enumerate(layouts.items())
    )
    notes = (*_left_out_notes(left, batch, question.activations), *_guess_notes(sites, layouts))
    on_places = [nonlinearity for nonlinearity in left if _has_places(nonlinearity.exit, batch)]
    return Survey(
        sites, layouts, places, len(activations), num_classes, frozenset(over_images), notes, len(on_places)
    )


def _choose_batch(question: Question) -> int:
    """A prime number of images that is no factor of the parameters' and the images' axes."""
    shapes = [question.preprocessing.shape, *(leaf.shape for leaf in jax.tree.leaves(question.params))]
    sizes = {size for shape in shapes for size in shape}
    primes = [number for number in range(5, 200) if all(number % divisor for divisor in range(2, number))]
    return next(prime for prime in primes if all(size % prime for size in sizes))


def _trace(question: Question, batch: int) -> tuple[ClosedJaxpr, int]:
    """The trace for ``batch`` images, and K."""
    images = jax.ShapeDtypeStruct((batch, *question.preprocessing.shape), jnp.float32)
    try:
        with direct_sums():
            traced, output = jax.make_jaxpr(question.forward, return_shape=True)(question.params, images)
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
        raise InputError(
            f"{question.name} fails on {batch} images of shape {question.preprocessing.shape} "
            f"({type(error).__name__}: {said}); expected a function of any number of images [B, H, W, C]: "
            "take the batch from images.shape[0], and look whether the preprocessing has the size that the "
            "classifier was made for"
        ) from error
    shape = getattr(output, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != batch:
        result = "no array" if shape is None else f"shape {_for_two(shape, batch)}"
        raise InputError(
            f"{question.name} returned {result} for 2 images; expected logits [B, K]: choose them from its "
            "results with adapt_function and a lambda"
        )
    return traced, shape[1]


def _for_two(shape: Sequence[int], batch: int) -> tuple[int, ...]:
    """A shape as it is for two images."""
    return tuple(size // batch * 2 if size % batch == 0 else size for size in shape)


def _check_images_apart(program: Program, moving: set[Value], batch: int, *, name: str) -> None:
    """What depends on the images and has no axis of images mixes them."""
    for operation in program.operations:
        for value in operation.outputs:
            counts = operation.primitive in ("scan", "while") and jnp.issubdtype(value.dtype, jnp.integer)
            if counts or value not in moving or any(size % batch == 0 for size in value.shape):
                continue
            raise InputError(
                f"{name} mixes the images of a batch: {operation.primitive!r} at "
                f"{operation.scope or 'the top level'!r} makes one value of shape {value.shape} of all of "
                "them; expected logits that do not depend on the other images: let BatchNorm use its "
                "running statistics, as with train=False, or compute the value for each image"
            )


def _check_logits(program: Program, moving: set[Value], *, name: str) -> None:
    """Runs what follows the last layer on numbers, and looks whether the result is probabilities."""
    rows = _run_end(program, moving)
    # Sums of bfloat16 are off by a percent.
    if rows is None or not np.isfinite(rows).all() or rows.min() < 0:
        return
    if rows.shape[1] > 1 and np.abs(rows.sum(axis=1) - 1).max() < 0.02:
        found = "probabilities: its rows add up to 1"
    elif rows.max() <= 1 + 1e-6 and np.ptp(rows) > 0.5:
        found = "values from 0 to 1, as a sigmoid does"
    else:
        return
    raise InputError(
        f"{name} returned {found}; expected logits: leave out the last softmax or sigmoid, which many "
        "libraries do with classifier_activation=None, or give a function that returns what goes into it"
    )


def _run_end(program: Program, moving: set[Value]) -> np.ndarray | None:
    """The result for random numbers in place of what the last layers return.

    None if it is nothing but a sum, or takes too long to see.
    """
    end, starts = _find_end(program, moving)
    sizes = [math.prod(value.shape) for value in starts]
    is_bounded = any(operation.primitive in _BOUNDING or operation.body for operation in end)
    if not is_bounded or len(end) > _LONGEST_END or sum(sizes) > _LARGEST_START:
        return None
    draw = np.random.default_rng(0)
    known: dict[Value, Any] = dict(program.constants)
    for value in starts:
        # Far apart, so that a softmax shows whatever it was divided by.
        numbers = 20 * draw.normal(size=value.shape)
        is_number = jnp.issubdtype(value.dtype, jnp.floating)
        known[value] = jnp.asarray(numbers if is_number else np.zeros(value.shape), value.dtype)
    for operation in end:
        operands = [atom.val if isinstance(atom, Literal) else known[atom] for atom in operation.inputs]
        known.update(zip(operation.outputs, operation.run(operands), strict=True))
    (result,) = program.outputs
    return None if isinstance(result, Literal) else np.asarray(known[result], np.float32)


def _find_end(program: Program, moving: set[Value]) -> tuple[list[Operation], list[Value]]:
    """The operations after the last layers, in their order, and the values that they start from."""
    of_parameters = program.depending_on(program.inputs[:-1])
    wanted = {atom for atom in program.outputs if isinstance(atom, Value)}
    end: list[Operation] = []
    for operation in reversed(program.operations):
        made = wanted.intersection(operation.outputs)
        # What follows from literals alone is no start: it is computed.
        follows = not made.isdisjoint(moving) or made.isdisjoint(of_parameters)
        if made and follows and operation.primitive not in _LAYERS:
            wanted -= made
            wanted.update(operation.variables())
            end.append(operation)
    return end[::-1], [value for value in wanted if value not in program.constants]


def _check_names(found: Sequence[Nonlinearity], question: Question) -> None:
    """A name of the user's own that is never called is a mistake; those of the library need not occur."""
    own = question.activations - {*ACTIVATIONS}
    occurring = {nonlinearity.name for nonlinearity in found}
    if missing := sorted(own - occurring):
        raise InputError(
            f"activations names {', '.join(missing)}, which {question.name} never calls; expected names "
            f"among {', '.join(sorted(occurring)) or 'none'}: those of functions under jax.jit, or of jax.nn"
        )


def _layout_of(
    activation: Nonlinearity, axes: dict[Value, Any], batch: int, layout: Layout | None
) -> SiteLayout | None:
    value = activation.exit
    unknown = (None,) * len(value.shape)
    return find_layout(value.shape, axes.get(value, unknown), batch=batch, layout=layout)


def _has_places(value: Value, batch: int) -> bool:
    return math.prod(value.shape) > batch * max(value.shape[1:], default=1) and len(value.shape) > 2


def _nothing_found(question: Question, left: Sequence[Nonlinearity], batch: int) -> str:
    seen = "".join(f"; {note}" for note in _left_out_notes(left, batch, question.activations))
    return (
        f"no activation was found in {question.name}; expected one of "
        f"{', '.join(sorted(question.activations))}{seen}: decorate your own with jax.jit and name it in "
        "activations, or write the target by hand (docs/own-models.md)"
    )


def _left_out_notes(left: Sequence[Nonlinearity], batch: int, names: Collection[str]) -> Iterator[str]:
    """One sentence for each kind of nonlinearity that was seen and not taken."""
    kinds: dict[str, list[Nonlinearity]] = {}
    for nonlinearity in left:
        kinds.setdefault(nonlinearity.name, []).append(nonlinearity)
    for name, members in kinds.items():
        first = members[0]
        times = "once" if len(members) == 1 else f"{len(members)} times"
        shape = ("B", *first.exit.shape[1:]) if first.exit.shape[:1] == (batch,) else first.exit.shape
        reason = (
            "its axes are no images, places and channels"
            if first.is_taken
            else "it is not 0 at rest"
            if name in names
            else "it is not in activations"
        )
        where = first.scope or "the top level"
        yield (
            f"{name} was seen {times} and not taken, first at {where} with shape "
            f"[{', '.join(map(str, shape))}]: {reason}"
        )


def _guess_notes(sites: Sequence[Site], layouts: dict[int, SiteLayout]) -> Iterator[str]:
    guessed = [site.name for site, layout in zip(sites, layouts.values(), strict=True) if layout.is_guess]
    if guessed:
        yield (
            f"the last axis was taken for the channels at {len(guessed)} sites, first {guessed[0]}, as no "
            "layer told them: say layout='NCHW' if they come first"
        )


def warn_of_left_out(found: Survey, *, name: str) -> None:
    """Warns if nonlinearities of maps and tokens were left out, at least half as many as there are sites."""
    with_places = sum(site.spatial is not None for site in found.sites)
    if found.left_out and 2 * found.left_out >= with_places:
        warnings.warn(
            f"{name} has {found.left_out} nonlinearities that are no sites beside {len(found.sites)} sites: "
            f"{'; '.join(found.notes)}",
            stacklevel=4,
        )


def _short(places: list[str]) -> list[str]:
    """Places without the module that contains them all, as dotted names.

    >>> _short(["CNN/Block_0/relu", "CNN/relu"])
    ['Block_0.relu', 'relu']
    """
    parts = [place.split("/") for place in places]
    if all(len(part) > 1 and part[0] == parts[0][0] for part in parts):
        parts = [part[1:] for part in parts]
    return [".".join(part) for part in parts]
