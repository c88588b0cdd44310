"""A classifier in two parts, of which the first stays as it is while the second is trained."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.extend.core import Jaxpr, Literal, Var

from jaxpath.targets.registry import families_of
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError, Params, Target

Place = tuple[str, ...]
"""Of an array in the parameters, such as ``("params", "conv1", "kernel")``."""

TRUNK, NOTHING = "trunk", "none"
"""What may be frozen besides everything up to a site."""


class Partition(NamedTuple):
    """Which of a classifier's parameters stay as they are.

    Attributes:
        site: The site at which the trained part begins: it reads that activation of the frozen classifier,
            and nothing before it. None if everything is trained.
        frozen: Places of the arrays that stay, BatchNorm's statistics among them.
    """

    site: str | None = None
    frozen: frozenset[Place] = frozenset()

    def separate(self, params: Params) -> tuple[Params, Params]:
        """The parameters that are trained, and those that stay."""
        arrays = flatten_dict(params)
        trained = {place: array for place, array in arrays.items() if place not in self.frozen}
        frozen = {place: array for place, array in arrays.items() if place in self.frozen}
        return unflatten_dict(trained), unflatten_dict(frozen)


WHOLE = Partition()
"""Nothing is frozen."""


def join_params(*parts: Params) -> Params:
    """The parameters whose parts these are."""
    return unflatten_dict({place: array for part in parts for place, array in flatten_dict(part).items()})


def partition_at(target: Target, freeze: str) -> Partition:
    """The partition that ``freeze`` names.

    A site will do if everything that the classifier says of an image passes it: not one in the middle of a
    residual block, which a shortcut goes around. Frozen is what reaches that site.

    Args:
        target: The classifier.
        freeze: ``"trunk"``, all up to the last such site that has places; ``"none"``; or the name of a site,
            with its number (``"004.layer1.1.relu2"``) or without.

    Raises:
        InputError: There is no such site, or not everything passes it.
    """
    if freeze == NOTHING:
        return WHOLE
    listing = _Listing.of(target)
    passed = {site.name: site for site in target.sites if listing.is_passed_by_all(site.name)}
    if freeze == TRUNK:
        site = next((name for name, site in reversed(passed.items()) if site.spatial is not None), None)
        if site is None:
            raise InputError(
                f"{target.name} has no site with places that everything passes, so that it has no trunk to "
                f"freeze; expected {NOTHING}"
            )
        return Partition(site, listing.reaching(site))
    named = [site.name for site in target.sites if freeze in (site.name, site.name.partition(".")[2])]
    if len(named) != 1 or named[0] not in passed:
        what = "is passed by a shortcut" if named else f"is no site of {target.name}"
        raise InputError(
            f"the classifier cannot be frozen up to {freeze!r}, which {what}; expected {TRUNK}, {NOTHING} or "
            f"one of {', '.join(name.partition('.')[2] for name in passed) or 'no site'}"
        )
    return Partition(named[0], listing.reaching(named[0]))


def head_places(target: Target) -> frozenset[Place]:
    """Places of the arrays behind the trunk; where there is none, those of the last layer.

    These are what weights of another classifier cannot be expected to have.
    """
    slots = parameter_slots(target)
    try:
        trunk = partition_at(target, TRUNK).frozen
    except InputError:
        last = tuple(f"{family.last}." for family in families_of(target.name))
        return frozenset(slot.path for slot in slots if slot.key.startswith(last))
    return frozenset(slot.path for slot in slots) - trunk


class _Listing(NamedTuple):
    """What a frozen classifier computes, as a list of operations.

    Attributes:
        jaxpr: The list.
        params: Its inputs that are parameters, by their places; lists of arrays have one place.
        image: Its input that is the image.
        logits: Its result.
        sites: The values of the sites, by name.
    """

    jaxpr: Jaxpr
    params: Mapping[Place, Any]
    image: Var
    logits: Var
    sites: Mapping[str, Var]

    @classmethod
    def of(cls, target: Target) -> "_Listing":
        """The listing of a target's ``apply``."""
        params = jax.eval_shape(target.init, jax.random.key(0))
        images = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.uint8)

        def run(params: Params, images: Any) -> tuple[Any, dict[str, Any]]:
            output = target.apply(params, images)
            return output.logits, output.features

        closed, shapes = jax.make_jaxpr(run, return_shape=True)(params, images)
        jaxpr = closed.jaxpr
        places = flatten_dict(jax.tree.unflatten(jax.tree.structure(params), jaxpr.invars[:-1]))
        logits, sites = jax.tree.unflatten(jax.tree.structure(shapes), jaxpr.outvars)
        return cls(jaxpr, places, jaxpr.invars[-1], logits, sites)

    def is_passed_by_all(self, site: str) -> bool:
        """Whether the logits depend on the image by way of a site only."""
        reached: set[Any] = {self.image}
        for eqn in self.jaxpr.eqns:
            if any(not isinstance(atom, Literal) and atom in reached for atom in eqn.invars):
                reached.update(eqn.outvars)
                reached.discard(self.sites[site])
        return self.logits not in reached

    def reaching(self, site: str) -> frozenset[Place]:
        """Places of the parameters on which a site depends."""
        needed: set[Any] = {self.sites[site]}
        for eqn in reversed(self.jaxpr.eqns):
            if not needed.isdisjoint(eqn.outvars):
                needed.update(atom for atom in eqn.invars if not isinstance(atom, Literal))
        return frozenset(
            place for place, found in self.params.items() if not needed.isdisjoint(jax.tree.leaves(found))
        )
