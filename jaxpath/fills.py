"""What closed neurons hold: 0, their mean, what another picture has there, or something between.

Elsewhere these are called zero, mean and resample ablation, and the third an interchange intervention (Geiger
et al. 2021, arXiv 2106.02997). A conclusion that holds under one of them alone is weak (Miller et al. 2024,
arXiv 2407.08734).
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.choices import ABLATIONS as ABLATIONS
from jaxpath.choices import Ablation as Ablation
from jaxpath.gating import fill_closed
from jaxpath.types import Gates, InputError


class Fill(NamedTuple):
    """What closed neurons hold: mean + strength (reference - mean). Without arrays, 0.

    A pytree of arrays, so that compiled steps take it as an argument. The reference pictures may be fixed
    (:class:`References`), or they are the batch itself, whose activations a training step has anyhow.

    Attributes:
        means: Site name -> [C], the usual activation, or [B, C]; None: 0.
        features: Site name -> [R, ...], activations of R reference pictures; None: closed neurons hold the
            mean.
        classes: int [R], the classes of the reference pictures; with ``features``.
        strength: How far closed neurons go from the mean to the reference, one number or [B]; None: all the
            way.
    """

    means: Mapping[str, Array] | None = None
    features: Mapping[str, Array] | None = None
    classes: Array | None = None
    strength: Array | float | None = None

    @property
    def name(self) -> str:
        """What it is called: an :data:`Ablation`, or ``"scaled interchange"``."""
        if self.features is None:
            return "zero" if self.means is None else "mean"
        return "interchange" if self.strength is None else "scaled interchange"

    def values(self, classes: Array, places: Array) -> Mapping[str, Array] | None:
        """The fills of a batch by site, [C] or the activations' shape; None: 0.

        Args:
            classes: int [B], the class that each image's pathway stands for.
            places: int [B]; of the references of other classes, each image takes the one at its place,
                counted round and round. Places in the data set give the same references in any batch.
        """
        if self.features is None:
            return self.means
        assert self.classes is not None
        other = take(self.features, foreign_rows(self.classes, classes, places))
        return other if self.strength is None else blend(self.means, other, self.strength)

    def close(self, masks: Mapping[str, Array], classes: Array, places: Array) -> Gates:
        """Gates whose closed neurons hold this; the arguments are those of :meth:`values`."""
        return fill_closed(masks, self.values(classes, places))


class References(NamedTuple):
    """Pictures that stand for all others, and what the classifier makes of them.

    Attributes:
        images: [R, H, W, C].
        classes: int [R], as the classifier predicts.
        features: Site name -> their activations, [R, ...].
        means: Site name -> [C], mean activations over the data set that the pictures are from.
    """

    images: Array | np.ndarray
    classes: Array | np.ndarray
    features: Mapping[str, Array | np.ndarray]
    means: Mapping[str, Array | np.ndarray]

    def fill(self, ablation: Ablation, *, strength: float | None = None) -> Fill:
        """The fill of that name.

        Args:
            ablation: Its name.
            strength: Of an interchange that goes only so far from the mean to the reference.

        Raises:
            InputError: There is no such ablation, only an interchange has a strength, or all reference
                pictures are of one class.
        """
        if ablation not in ABLATIONS:
            raise InputError(f"the ablation is {ablation!r}; choose one of {', '.join(ABLATIONS)}")
        if ablation != "interchange":
            if strength is not None:
                raise InputError(
                    f"the ablation {ablation!r} was given the strength {strength}; only an interchange has "
                    "one: leave it out"
                )
            return Fill() if ablation == "zero" else Fill(self.means)  # type: ignore[arg-type]
        if len(np.unique(self.classes)) < 2:
            raise InputError(
                f"the {len(self.classes)} reference pictures are all predicted as class "
                f"{int(self.classes[0])}; an interchange needs pictures of at least two classes"
            )
        means = None if strength is None else self.means
        return Fill(means, self.features, self.classes, strength)  # type: ignore[arg-type]


def as_one_program(fills: Mapping[str, Fill]) -> dict[str, Fill]:
    """The same fills by name; where there is a mean, 0 is written as a mean of 0.

    A compiled program takes fills of one form: so one program runs under both.
    """
    means = next((fill.means for fill in fills.values() if fill.name == "mean"), None)
    if means is None:
        return dict(fills)
    nothing = Fill({name: jnp.zeros_like(mean) for name, mean in means.items()})
    return {name: nothing if fill.name == "zero" else fill for name, fill in fills.items()}


def blend(
    means: Mapping[str, Array] | None, other: Mapping[str, Array], strength: Array | float
) -> dict[str, Array]:
    """From the mean so far to another picture's activation: mean + strength (other - mean), by site.

    Args:
        means: Site name -> [C] or [B, C]; None: 0.
        other: Site name -> activations of one reference for each image, [B, ...].
        strength: One number, or [B].
    """

    def at_site(name: str, activation: Array) -> Array:
        share = jnp.asarray(strength, activation.dtype)
        share = share.reshape(-1, *(1,) * (activation.ndim - 1))
        if means is None:
            return share * activation
        usual = jnp.asarray(means[name], activation.dtype)
        usual = usual.reshape(-1, *(1,) * (activation.ndim - 2), usual.shape[-1])
        return usual + share * (activation - usual)

    return {name: at_site(name, activation) for name, activation in other.items()}


def take(features: Mapping[str, Array | np.ndarray], rows: Array) -> dict[str, Array]:
    """The activations of the pictures at ``rows`` [B], by site."""
    return {name: jnp.asarray(activation)[rows] for name, activation in features.items()}


def foreign_rows(candidates: Array, classes: Array, places: Array) -> Array:
    """For each of ``classes`` [B] a row of ``candidates`` [R] that holds another class: int [B].

    Of the n rows that do, the one at ``place`` mod n; row 0 where there is none.

    >>> foreign_rows(jnp.array([0, 1, 0, 2]), jnp.array([0, 0, 1]), jnp.array([0, 3, 1])).tolist()
    [1, 3, 2]
    """
    foreign = jnp.asarray(candidates)[None] != classes[:, None]
    count = foreign.sum(axis=1)
    nth = places % jnp.maximum(count, 1)
    return ((foreign.cumsum(axis=1) == nth[:, None] + 1) & foreign).argmax(axis=1)


def foreign_neighbours(
    classes: Array, *, group: int | None = None, real: Array | None = None
) -> tuple[Array, Array]:
    """For each image of a batch the next one of another class, round and round: places, and if there is one.

    For training: its activations are at hand, so that ``take(features, places)`` costs no further pass.
    Inside a step that is split over devices, a batch is the part of one device.

    Args:
        classes: int [B].
        group: Looks among so many images that lie together. If it divides the part of each device, the
            neighbours are the same on any number of devices. None: all of the part.
        real: [B], 0 for padding, which is nobody's neighbour; None: all are real.

    Returns:
        int [B], an image's own place where there is none; and 1.0 or 0.0, [B].

    Raises:
        InputError: The group does not divide the batch.

    >>> foreign_neighbours(jnp.array([0, 0, 1, 1, 2, 2]))[0].tolist()
    [2, 2, 4, 4, 0, 0]
    >>> places, found = foreign_neighbours(jnp.array([0, 1, 1, 1]), group=2)
    >>> places.tolist(), found.tolist()
    ([1, 0, 2, 3], [1.0, 1.0, 0.0, 0.0])
    """
    count = classes.shape[0]
    size = count if group is None else group
    if size < 1 or count % size:
        raise InputError(
            f"neighbours were asked for in groups of {size}, but each device has {count} images; choose a "
            "group that divides them, or another batch size"
        )
    grouped = classes.reshape(-1, size)
    suitable = grouped[:, :, None] != grouped[:, None, :]  # [groups, image, candidate]
    if real is not None:
        suitable &= (real.reshape(-1, 1, size) > 0) & (real.reshape(-1, size, 1) > 0)
    inside = jnp.arange(size)
    steps = (inside[None, :] - inside[:, None]) % size
    found = suitable.any(axis=2)
    nearest = jnp.where(suitable, steps[None], size).argmin(axis=2)
    own = jnp.broadcast_to(inside[None], nearest.shape)
    first = size * jnp.arange(count // size)[:, None]
    places = first + jnp.where(found, nearest, own)
    return places.reshape(-1), found.reshape(-1).astype(jnp.float32)
