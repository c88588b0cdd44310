"""What is trained behind something frozen in two stages: what depends on the image only, and the rest.

What lies between a frozen trunk and the first trained layer, such as a pool, depends on the image only: its
result is what need be computed once per image, and it is far smaller than the trunk's last map.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from jaxpath.targets.objective import Trained, competition_kl
from jaxpath.targets.partition import Partition, join_params
from jaxpath.types import Competition, InputError, Params, Target

Function = Callable[[Params, Params, Array, Array], Any]
"""``function(trained, frozen, images, keys)``: of parameters that are trained and others, and of keys [B]."""


class Staged:
    """A function of images in two stages: what depends on the images only, and the rest.

    Args:
        function: Its results are arrays in any structure; what of the images they depend on by way of frozen
            parameters only is the first stage.
        image: Shape and type of one image, as the function takes it.
        name: What to call its part that is trained in messages.
    """

    def __init__(self, function: Function, image: jax.ShapeDtypeStruct, *, name: str) -> None:
        self._function, self._image, self._name = function, image, name

    def read(self, trained: Params, frozen: Params, images: Array) -> list[Array]:
        """The first stage: what the rest reads of each image, arrays [B, ...].

        Args:
            trained: Parameters that are trained; only their shapes count.
            frozen: The others.
            images: [B, ...].

        Raises:
            InputError: Something that the rest reads is not one value per image.
        """
        split = self._split(trained, frozen, len(images))
        first = split.jaxpr.replace(
            constvars=[],
            invars=[*split.constants, *split.frozen, split.images],
            outvars=split.read,
            eqns=split.first,
        )
        leaves = jax.tree.leaves(frozen)
        results = jaxpr_as_fun(ClosedJaxpr(first, []))(*split.values, *leaves, images)
        if any(result.ndim == 0 or len(result) != len(images) for result in results):
            raise InputError(
                f"{self._name} mixes images before it is trained, so that nothing can be computed once per "
                "image; leave views out"
            )
        return results

    def rest(self, trained: Params, frozen: Params, read: Sequence[Array], keys: Array) -> Any:
        """The second stage: what the function returns, of what :meth:`read` returned."""
        split = self._split(trained, frozen, len(read[0]))
        leaves = [*jax.tree.leaves(trained), *jax.tree.leaves(frozen)]
        second = split.jaxpr.replace(
            constvars=[],
            invars=[*split.constants, *split.trained, *split.frozen, split.keys, *split.read],
            outvars=split.outvars,
            eqns=split.second,
        )
        results = jaxpr_as_fun(ClosedJaxpr(second, []))(*split.values, *leaves, keys, *read)
        return jax.tree.unflatten(split.structure, results)

    def _split(self, trained: Params, frozen: Params, batch: int) -> "_Split":
        """Both stages as lists of operations, for a batch of this size."""
        trained, frozen = (jax.tree.map(_shape_of, part) for part in (trained, frozen))
        images = jax.ShapeDtypeStruct((batch, *self._image.shape), self._image.dtype)
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), batch))
        closed, shapes = jax.make_jaxpr(self._function, return_shape=True)(trained, frozen, images, keys)
        counts = len(jax.tree.leaves(trained)), len(jax.tree.leaves(frozen))
        return _Split.of(closed, counts, jax.tree.structure(shapes))


class Stages:
    """The part of a target behind a partition's site, in two stages.

    Args:
        target: The classifier.
        partition: With a site.
        axis_name: Of the devices over which batch statistics are averaged.
    """

    def __init__(self, target: Target, partition: Partition, *, axis_name: str | None = None) -> None:
        assert partition.site is not None
        self._target, self._partition, self._axis_name = target, partition, axis_name
        self._site = next(site for site in target.sites if site.name == partition.site)

    def activation(self, params: Params, images: Array) -> Array:
        """What the frozen classifier has at the site, [B, H, W, C] or [B, C]."""
        return self._target.apply(params, images).features[self._site.name]

    def entered(self, trained: Params, frozen: Params, activation: Array, keys: Array) -> Trained:
        """Runs the part on the activation of its site, [B, H, W, C] or [B, C].

        Args:
            trained: Parameters that are trained.
            frozen: The others.
            activation: Of the frozen classifier.
            keys: One per example [B].
        """
        images = jnp.zeros((len(activation), *self._target.preprocessing.shape), jnp.uint8)
        output, updated = self._target.train_apply(
            join_params(frozen, trained),
            images,
            key=keys,
            axis_name=self._axis_name,
            given={self._site.name: activation},
        )
        statistics, _ = self._partition.separate({n: part for n, part in updated.items() if n != "params"})
        behind = {name: kl for name, kl in output.records(Competition).items() if name > self._site.name}
        return Trained(output.logits, competition_kl(behind), statistics)

    def read(self, params: Params, images: Array) -> list[Array]:
        """The first stage, of the whole classifier's parameters; see :meth:`Staged.read`."""
        return self._staged.read(*self._partition.separate(params), self.activation(params, images))

    def rest(self, trained: Params, frozen: Params, read: Sequence[Array], keys: Array) -> Trained:
        """The second stage: what :meth:`entered` returns, of what :meth:`read` returned."""
        return self._staged.rest(trained, frozen, read, keys)

    @functools.cached_property
    def _staged(self) -> Staged:
        params = jax.eval_shape(self._target.init, jax.random.key(0))
        images = jax.ShapeDtypeStruct((1, *self._target.preprocessing.shape), jnp.uint8)
        activation = jax.eval_shape(self.activation, params, images)
        image = jax.ShapeDtypeStruct(activation.shape[1:], activation.dtype)
        name = f"the part of {self._target.name} behind {self._site.name}"
        return Staged(self.entered, image, name=name)


class _Split(NamedTuple):
    """The operations of a function, told apart by what they depend on.

    Attributes:
        jaxpr: All of them.
        constants: Its constants.
        values: Their values.
        trained: Its inputs that are trained.
        frozen: Its inputs that are other parameters.
        images: Its input that is the images.
        keys: Its input that is the random keys.
        outvars: Its results.
        read: What the second stage reads of the first.
        first: Operations that depend on the images, and on nothing that is trained or drawn.
        second: The others; those that depend on neither are in both.
        structure: Of the results.
    """

    jaxpr: Jaxpr
    constants: Sequence[Any]
    values: Sequence[Any]
    trained: Sequence[Any]
    frozen: Sequence[Any]
    images: Any
    keys: Any
    outvars: Sequence[Any]
    read: Sequence[Any]
    first: Sequence[JaxprEqn]
    second: Sequence[JaxprEqn]
    structure: Any

    @classmethod
    def of(cls, closed: ClosedJaxpr, counts: tuple[int, int], structure: Any) -> "_Split":
        """Splits a listing whose inputs are so many trained and frozen arrays, images and keys."""
        jaxpr = closed.jaxpr
        trained, frozen = jaxpr.invars[: counts[0]], jaxpr.invars[counts[0] : sum(counts)]
        images, keys = jaxpr.invars[sum(counts) :]
        live = _live(jaxpr)
        on_trained, on_image = _dependent(live, {*trained, keys}), _dependent(live, {images})
        is_first = [_reads(eqn, on_image) and not _reads(eqn, on_trained) for eqn in live]
        is_second = [_reads(eqn, on_trained) for eqn in live]
        free = [not (a or b) for a, b in zip(is_first, is_second, strict=True)]
        wanted = [atom for eqn, own in zip(live, is_second, strict=True) if own for atom in eqn.invars]
        wanted += jaxpr.outvars
        read = dict.fromkeys(
            atom
            for atom in wanted
            if not isinstance(atom, Literal) and atom in on_image and atom not in on_trained
        )
        again = _moved_again(live, read, on_image)
        return cls(
            jaxpr,
            jaxpr.constvars,
            closed.consts,
            trained,
            frozen,
            images,
            keys,
            jaxpr.outvars,
            [atom for atom in read if atom not in again],
            [eqn for eqn, own, every in zip(live, is_first, free, strict=True) if own or every],
            [
                eqn
                for eqn, own, every in zip(live, is_second, free, strict=True)
                if own or every or not again.isdisjoint(eqn.outvars)
            ],
            structure,
        )


_MOVES = ("slice", "pad", "reshape", "transpose", "squeeze", "broadcast_in_dim", "convert_element_type")
"""Operations that only move values, which cost nothing to do again."""


def _moved_again(live: Sequence[JaxprEqn], read: Collection[Any], on_image: set[Any]) -> set[Any]:
    """Values that need not be kept, as they are others that are read, moved; and those on the way to them."""
    makers = {out: eqn for eqn in live for out in eqn.outvars if eqn.primitive.name in _MOVES}
    again: set[Any] = set()
    for atom in read:
        way = [atom]
        while way[-1] in makers:
            sources = [a for a in makers[way[-1]].invars if not isinstance(a, Literal) and a in on_image]
            if len(sources) != 1:
                break
            way.append(sources[0])
            if sources[0] in read:
                again.update(way[:-1])
                break
    return again


def _live(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """The operations on which a result depends."""
    needed: set[Any] = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    live = []
    for eqn in reversed(jaxpr.eqns):
        if not needed.isdisjoint(eqn.outvars):
            needed.update(atom for atom in eqn.invars if not isinstance(atom, Literal))
            live.append(eqn)
    return live[::-1]


def _dependent(eqns: Sequence[JaxprEqn], sources: set[Any]) -> set[Any]:
    """All values that depend on ``sources``, and these."""
    reached = set(sources)
    for eqn in eqns:
        if _reads(eqn, reached):
            reached.update(eqn.outvars)
    return reached


def _reads(eqn: JaxprEqn, values: set[Any]) -> bool:
    return any(not isinstance(atom, Literal) and atom in values for atom in eqn.invars)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def named(read: Sequence[Array]) -> dict[str, Array]:
    """A first stage's results by the names under which they travel in a batch.

    >>> sorted(named([jnp.zeros(1), jnp.zeros(1)]))
    ['read_0', 'read_1']
    """
    return {f"read_{number}": values for number, values in enumerate(read)}


def read_of(batch: Mapping[str, Array]) -> list[Array]:
    """A first stage's results in a batch, in their order."""
    count = sum(name.startswith("read_") for name in batch)
    return [batch[f"read_{number}"] for number in range(count)]
