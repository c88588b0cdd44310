"""How an activation lies in memory, and how it becomes [B, H, W, C], [B, T, C] or [B, C]."""

import math
from typing import Literal, NamedTuple

from jax import Array

from jaxpath.targets.axes import Axes, Axis, find_patches, merged
from jaxpath.types import InputError, Patches, Tokens

Layout = Literal["NHWC", "NCHW"]
"""Where the channels are: last, or first after the batch."""


class SiteLayout(NamedTuple):
    """How an activation of a network becomes that of a site.

    Attributes:
        expanded: Shape with a merged axis, such as that of [B * T, C], taken apart; the batch is -1.
        order: Axes of that shape in the order batch, places, channels; those of length 1 that are nothing
            come last.
        shape: Of the site, without the batch: (H, W, C), (T, C) or (C,).
        patches: See :class:`~jaxpath.types.Site`.
        is_guess: Whether nothing told the channels and the last axis was taken.
    """

    expanded: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]
    patches: Patches | None = None
    is_guess: bool = False

    def spatial(self) -> tuple[int, ...] | None:
        """Of the site; see :class:`~jaxpath.types.Site`."""
        if len(self.shape) == 2:
            return Tokens(self.shape[0], self.patches)
        return self.shape[:-1] or None

    def is_plain(self) -> bool:
        """Whether an activation is that of its site as it is."""
        return self.order == tuple(range(len(self.expanded))) and len(self.expanded) == len(self.shape) + 1

    def to_site(self, activation: Array, *, own_size: bool) -> Array:
        """The network's activation as [B, H, W, C], [B, T, C] or [B, C]."""
        if self.is_plain() and activation.ndim == len(self.expanded):
            return activation
        expanded = self._expanded(activation, own_size)
        ordered = activation.reshape(expanded).transpose(self.order)
        return ordered.reshape(ordered.shape[: len(self.shape) + 1])

    def from_site(self, activation: Array, like: Array) -> Array:
        """What :meth:`to_site` returned, as the network had it."""
        if self.is_plain() and like.ndim == len(self.expanded):
            return activation
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        ordered = activation.reshape(*activation.shape, *(1,) * (len(self.order) - activation.ndim))
        return ordered.transpose(inverse).reshape(like.shape)

    def _expanded(self, activation: Array, own_size: bool) -> tuple[int, ...]:
        if len(self.expanded) == activation.ndim:
            return activation.shape
        if not own_size:
            raise InputError(
                "images of another size were given to a network that merges the tokens of all images; "
                "expected those of its own size"
            )
        return self.expanded


def find_layout(
    shape: tuple[int, ...], axes: Axes, *, batch: int, layout: Layout | None = None
) -> SiteLayout | None:
    """How an activation of ``shape`` for ``batch`` images becomes that of a site; None if it cannot.

    Args:
        shape: Of the activation.
        axes: See :func:`~jaxpath.targets.axes.follow_axes`.
        batch: Number of images, a prime number that no other axis has as a factor.
        layout: Where the channels are, if the user said it.
    """
    expanded, parts = _expand(shape, axes, batch)
    heads = [place for place, size in enumerate(expanded) if size == -1]
    if len(heads) != 1:
        return None
    others = [place for place in range(len(expanded)) if place not in heads]
    channel, is_guess = _find_channel(expanded, parts, others, layout)
    if channel is None:
        return None
    places = [place for place in others if place != channel]
    idle: list[int] = []
    while len(places) > 2 and any(expanded[place] == 1 for place in places):
        idle.append(next(place for place in places if expanded[place] == 1))
        places.remove(idle[-1])
    if len(places) > 2:
        return None
    patches = find_patches(parts[places[0]]) if len(places) == 1 else None
    order = (*heads, *places, channel, *idle)
    site_shape = tuple(expanded[place] for place in (*places, channel))
    return SiteLayout(expanded, order, site_shape, patches, is_guess)


def _expand(shape: tuple[int, ...], axes: Axes, batch: int) -> tuple[tuple[int, ...], list[Axis]]:
    """The shape with the batch as an axis of its own, -1, and what is known of each axis."""
    expanded: list[int] = []
    parts: list[Axis] = []
    for size, axis in zip(shape, axes, strict=True):
        kinds = [part.kind for part in merged(axis)]
        if "batch" in kinds:
            place = kinds.index("batch")
            for around in (merged(axis)[:place], merged(axis)[place : place + 1], merged(axis)[place + 1 :]):
                if around:
                    is_batch = around[0].kind == "batch"
                    expanded.append(-1 if is_batch else math.prod(part.size for part in around))
                    parts.append(around)
        elif axis is None and size % batch == 0 and -1 not in expanded:
            expanded += [-1] if size == batch else [-1, size // batch]
            parts += [None] if size == batch else [None, None]
        else:
            expanded.append(size)
            parts.append(axis)
    return tuple(expanded), parts


def _find_channel(
    expanded: tuple[int, ...], parts: list[Axis], others: list[int], layout: Layout | None
) -> tuple[int | None, bool]:
    """The axis of the channels, and whether it is a guess."""
    if not others:
        return None, False
    if len(others) == 1:
        return others[0], False
    if layout is not None:
        return (others[0] if layout == "NCHW" else others[-1]), False
    kinds = {place: [part.kind for part in merged(parts[place])] for place in others}
    sure = [place for place in others if kinds[place] == ["channel"]]
    # The heads of an attention side by side again.
    joined = [place for place in others if len(kinds[place]) > 1 and {*kinds[place]} == {"other"}]
    for found in (sure, joined):
        if len(found) == 1:
            return found[0], False
    if sure:
        return None, False
    single = [place for place in others if expanded[place] == 1]
    if single and all(parts[place] is not None for place in others):
        return single[-1], False
    if all(parts[place] is None or expanded[place] == 1 for place in others):
        return others[-1], True
    return None, False
