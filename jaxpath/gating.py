"""How masks meet activations. Gates are data, not a mode: no hooks, no patched relu."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import jax.numpy as jnp
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from jaxpath.compiling import computed_once
from jaxpath.types import Competition, FilledMask, Gates, Given, InputError, ShiftedMask, Site


def gate(
    activation: Array, mask: Array | FilledMask | ShiftedMask | Given, *, site: str = "this site"
) -> Array:
    """Closes the neurons of ``activation`` where ``mask`` is 0.

    a * mask, or a * mask + fill * (1 - mask) for a :class:`~jaxpath.types.FilledMask`, a * mask + shift for a
    :class:`~jaxpath.types.ShiftedMask`, or the value of a :class:`~jaxpath.types.Given`.

    Args:
        activation: [B, H, W, C], [B, T, C] at a site of tokens, or [B, C] at a dense site.
        mask: [B, C] (one value per channel; 1 in place of B serves every image), or the
            activation's shape (one value per unit); or such a mask with a fill or a shift; or a value of that
            shape.
        site: Name used in the error.

    Raises:
        InputError: If the mask, the fill, the shift or the value has another shape.
    """
    if isinstance(mask, Given):
        return _given(activation, mask, site)
    if isinstance(mask, FilledMask):
        return _fill_closed(activation, mask, site)
    if isinstance(mask, ShiftedMask):
        return activation * _spread(activation, mask.mask, site) + _spread(activation, mask.shift, site)
    return activation * _spread(activation, jnp.asarray(mask), site)


def fill_closed(masks: Mapping[str, Array], fills: Mapping[str, Array] | None) -> Gates:
    """Gates whose closed neurons take ``fills``, by site; None leaves them 0."""
    return masks if fills is None else {name: FilledMask(mask, fills[name]) for name, mask in masks.items()}


def _fill_closed(activation: Array, gate: FilledMask, site: str) -> Array:
    fill = jnp.asarray(gate.fill)
    each_image, one = (activation.shape[0], activation.shape[-1]), (1, *activation.shape[1:])
    # Without the batch axis, values at tokens would look like values of each image.
    each_unit = one if activation.ndim == 3 else one[1:]
    if fill.shape not in (activation.shape[-1:], each_unit, one, each_image, activation.shape):
        raise InputError(
            f"the fill for site {site!r} has shape {tuple(fill.shape)}; expected {activation.shape[-1:]} for "
            f"one value per channel, {each_unit} for one value per unit, {each_image} for "
            "values per channel of each image, or the activation's shape for values per unit of each image"
        )
    if fill.shape == each_image:
        fill = fill.reshape(each_image[0], *(1,) * (activation.ndim - 2), each_image[1])
    fill = fill.reshape((1,) * (activation.ndim - fill.ndim) + fill.shape).astype(activation.dtype)
    mask = _spread(activation, jnp.asarray(gate.mask), site)
    # Exactly the activation where the mask is 1, like a mask without a fill.
    return activation * mask + fill * (1 - mask)


def _given(activation: Array, gate: Given, site: str) -> Array:
    value = jnp.asarray(gate.value)
    if value.shape != activation.shape:
        raise InputError(
            f"the value for site {site!r} has shape {tuple(value.shape)}; expected the activation's, "
            f"{tuple(activation.shape)}"
        )
    return value.astype(activation.dtype)


def _spread(activation: Array, mask: Array, site: str) -> Array:
    """The mask in the activation's rank and type."""
    # Forces the mask's gradient to be summed over space at once; XLA would keep those of all activations.
    mask = computed_once(mask)
    batch, channels = activation.shape[0], activation.shape[-1]
    if mask.ndim == 2 and mask.shape[1] == channels and mask.shape[0] in (1, batch):
        mask = mask.reshape(mask.shape[0], *(1,) * (activation.ndim - 2), channels)
        # Before the cast, as the gradient goes the other way: it is summed over space in the mask's own type.
        mask = jnp.broadcast_to(mask, activation.shape)
    elif mask.shape != activation.shape:
        raise InputError(
            f"the gate for site {site!r} has shape {tuple(mask.shape)}; expected "
            f"({batch}, {channels}) for one value per channel or {tuple(activation.shape)} for "
            "one value per unit: give one row per image and one column per channel"
        )
    return mask.astype(activation.dtype)


def check_gates(gates: Gates | None, sites: Sequence[Site]) -> None:
    """Raises an :class:`InputError` that lists the valid names if a gate names no site."""
    unknown = sorted(set(gates or ()) - {site.name for site in sites})
    if unknown:
        raise InputError(
            f"gates were given for unknown sites {unknown}; this target's sites are "
            f"{[site.name for site in sites]}"
        )


class Taps:
    """Names, gates and records every activation call of one forward pass, in forward order.

    A model makes one of these per call, passes every activation through it, and returns
    ``taps.features``; jit prunes what nobody uses.
    """

    def __init__(self, gates: Gates | None) -> None:
        self._gates = gates or {}
        self.features: dict[str, Array] = {}

    def __call__(self, place: str, activation: Array) -> Array:
        """Records ``activation`` under the next zero-padded name, after its gate if it has one."""
        name = f"{len(self.features):03d}.{place}"
        if name in self._gates:
            activation = gate(activation, self._gates[name], site=name)
        # Named so that jax.checkpoint can select it.
        self.features[name] = activation = computed_once(checkpoint_name(activation, name))
        return activation

    def gates_next(self, place: str) -> bool:
        """Whether the activation that is passed next, at ``place``, has a gate."""
        return f"{len(self.features):03d}.{place}" in self._gates


class Activation(Protocol):
    """Every activation of one forward pass, tapped. A network makes one of these per call."""

    def __call__(self, h: Array, place: str = "", number: int | str = "") -> Array:
        """Passes ``h`` [B, ..., C] on; the site is called ``place.relu1``, after what happens there."""
        ...

    @property
    def competition(self) -> dict[str, Competition]:
        """Who won, by site; empty where nobody competes."""
        ...


class Pointwise:
    """The ordinary network: the same function of every unit, such as a ReLU.

    Args:
        taps: Of the same call.
        function: Its name is part of the sites' names, as in ``"004.layer1.1.relu2"``.
    """

    def __init__(self, taps: Taps, function: Callable[[Array], Array]) -> None:
        self._taps, self._function = taps, function

    def __call__(self, h: Array, place: str = "", number: int | str = "") -> Array:
        """Applies the function; see :class:`Activation`."""
        return self._taps(join(place, f"{self._function.__name__}{number}"), self._function(h))

    @property
    def competition(self) -> dict[str, Competition]:
        """Nobody competes."""
        return {}


def join(place: str, name: str) -> str:
    """The name of an activation at a place.

    >>> join("layer1.0", "relu1"), join("", "relu")
    ('layer1.0.relu1', 'relu')
    """
    return f"{place}.{name}" if place else name
