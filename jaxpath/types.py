"""The contracts that every room of the library shares.

Shapes are written in brackets with one alphabet: B batch, H and W space, C channels, K classes,
D width, N all gateable neurons of a target (the sum of its sites' channels).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import numpy as np
from jax import Array

from jaxpath import markup
from jaxpath.choices import Interpolation as Interpolation
from jaxpath.errors import InputError as InputError

Record = TypeVar("Record")

Params = Any
"""A pytree of arrays. For a Flax target: ``{"params": ..., "batch_stats": ...}``."""


Batch = Mapping[str, Array]
"""A batch on the devices: arrays with the leading axis B, such as ``image`` [B, H, W, C], ``label`` [B],
``weight`` [B] (0 for padding) and ``position`` [B], the example's place in the batch of all processes."""

HostBatch = Mapping[str, np.ndarray]
"""One process's part of a batch, before it is on the devices."""

EvalStep = Callable[[Params, Any, Batch], dict[str, Array]]
"""``step(params, frozen, batch) -> {name: [B, ...]}``: one entry per example, nothing reduced."""


class FilledMask(NamedTuple):
    """A gate whose closed neurons take a value of their own instead of 0, such as their mean.

    Attributes:
        mask: 0/1, [B, C] or the activation's shape.
        fill: Value of a closed neuron: [C] or [B, C]; or the activation's shape, with 1 in place of B or, on
            maps, without that axis.
    """

    mask: Array
    fill: Array


class Given(NamedTuple):
    """A gate that puts a value in the place of an activation, whatever was computed there.

    Nothing before the site is run for its sake, so that a network can be entered in its middle.

    Attributes:
        value: Of the activation's shape.
    """

    value: Array


class ShiftedMask(NamedTuple):
    """A gate that also adds a value: a * mask + shift.

    With a mask of 1 and a shift of 0 it changes nothing; the gradients by both, from one backward pass, say
    what closing a channel would do to first order, whatever it is closed to.

    Attributes:
        mask: [B, C] or the activation's shape.
        shift: [B, C].
    """

    mask: Array
    shift: Array


Gates = Mapping[str, Array | FilledMask | ShiftedMask | Given]
"""Site name -> mask, [B, C] (channel granularity) or the activation's own shape (unit granularity).

A site that is missing is open. An unknown one is an :class:`InputError`. Closed neurons are 0, or what
a :class:`FilledMask` says. A :class:`Given` replaces the activation."""


class Patches(NamedTuple):
    """Which tokens of a site are patches of the image, row by row.

    Attributes:
        first: Position of the first one; tokens before it, such as a class token, have no place.
        grid: (H, W), their rows and columns.
    """

    first: int
    grid: tuple[int, int]


class Tokens(tuple[int, ...]):
    """(T,), the size of a site of T tokens, which also says which of them lie where in the image.

    Attributes:
        patches: The patches among them; None if that is unknown.
    """

    patches: Patches | None

    def __new__(cls, count: int, patches: Patches | None = None) -> "Tokens":
        """Of ``count`` tokens, T, among which are the ``patches``."""
        tokens = super().__new__(cls, (count,))
        tokens.patches = patches
        return tokens

    def __getnewargs__(self) -> tuple[int, Patches | None]:
        """How pickle makes it anew."""
        return self[0], self.patches


class Site(NamedTuple):
    """One activation *call* of a target: a place where neurons can be closed.

    Attributes:
        name: Zero-padded position and place, such as ``"004.layer1.1.relu2"``, so that sorting by
            name is forward order.
        channels: Number of channels C.
        spatial: (H, W) of a map at the target's own input size; :class:`Tokens`, (T,), at a site of T tokens;
            None for a dense site. An activation is [B, H, W, C], [B, T, C] or [B, C].
    """

    name: str
    channels: int
    spatial: tuple[int, ...] | None

    @property
    def patches(self) -> Patches | None:
        """Which of its tokens lie where in the image; None for maps, and where it is unknown."""
        return self.spatial.patches if isinstance(self.spatial, Tokens) else None

    def size(self) -> str:
        """Its places in words, such as ``"7 x 7"``, ``"197 tokens"`` or ``"dense"``."""
        if not self.spatial:
            return "dense"
        return f"{self.spatial[0]} tokens" if len(self.spatial) == 1 else " x ".join(map(str, self.spatial))


class Competition(NamedTuple):
    """Who won at a site whose channels compete in blocks of U adjacent ones.

    Attributes:
        winners: int32 [B, ..., C / U], the winner's place in its block, at every position.
        kl: [B, ..., C / U], KL divergence in nats of the odds from equal ones.
    """

    winners: Array
    kl: Array


class TargetOutput(NamedTuple):
    """What a classifier returns.

    Attributes:
        logits: [B, K], float32, never gated.
        features: Site name -> activation as it flows on (after its gate, if it has one):
            [B, H, W, C], [B, T, C] at a site of tokens, or [B, C] at a dense site.
        recorded: What sites and layers say besides, by their names: a :class:`Competition`, or maps of
            attention. First axes are B. None if none says anything.
    """

    logits: Array
    features: dict[str, Array]
    recorded: dict[str, Any] | None = None

    def records(self, kind: type[Record]) -> dict[str, Record]:
        """What was recorded of one kind, by name in ascending order; empty if nothing was."""
        recorded = self.recorded or {}
        return {name: recorded[name] for name in sorted(recorded) if isinstance(recorded[name], kind)}


class Preprocessing(NamedTuple):
    """How a picture becomes a target's input; it travels with the target.

    Attributes:
        resize: Length in pixels of the shorter side before the crop. None takes a picture of the crop's
            size as it is, and resizes another one until it just covers the crop.
        crop: (H, W) of the central crop, which is the target's own input size.
        mean: Per-channel mean subtracted from values in [0, 1].
        std: Per-channel standard deviation divided by afterwards.
        interpolation: How pixels are resampled, with antialiasing.
    """

    resize: int | None
    crop: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = "bilinear"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of an input."""
        return (*self.crop, len(self.mean))


class Target(NamedTuple):
    """A classifier as pure functions. Parameters are always an argument, never held.

    Attributes:
        name: Registry name, such as ``"resnet18"``.
        sites: Every place where neurons can be closed, in forward order.
        num_classes: K.
        preprocessing: How pictures become inputs.
        init: ``init(key) -> params``, freshly initialised.
        apply: ``apply(params, images, gates=None) -> TargetOutput``, the frozen classifier
            (BatchNorm by its running statistics, no dropout). ``images`` [B, H, W, C] are either
            uint8 (raw; normalised here with ``preprocessing``) or floating point (already
            normalised). All-ones gates change no operation: they equal ``gates=None`` bit for bit in
            programs of :func:`jaxpath.compiling.jit` on a CPU, and to rounding where XLA fuses the
            two differently, as it may under a plain ``jax.jit``.
        train_apply: ``train_apply(params, images, *, key, axis_name=None, given=None) ->
            (TargetOutput, params)``, the same classifier while it is being trained: batch
            statistics (averaged over the devices of ``axis_name``), dropout by ``key``, one key or
            one per example [B]; the returned parameters carry the updated running statistics.
            ``given``, site name -> activation, enters the network there: dropout that follows the
            site is applied to it.
        sample_apply: ``sample_apply(params, images, gates=None, *, key) -> TargetOutput``, one draw of a
            stochastic classifier that is otherwise as in ``apply``, by one key or one per example [B]. None
            for a classifier that draws nothing. The ``apply`` of a stochastic one takes the likeliest
            outcome of every draw.
        activations: Names of activation functions that are its own besides those of ``jax.nn``, or instead
            of them; None: those of ``targets.ACTIVATIONS``. Explainers that treat activations in their own
            way find them by these names.
        notes: What the adapter saw and did not take, and what it assumed, one sentence each.
    """

    name: str
    sites: tuple[Site, ...]
    num_classes: int
    preprocessing: Preprocessing
    init: Callable[[Array], Params]
    apply: Callable[..., TargetOutput]
    train_apply: Callable[..., tuple[TargetOutput, Params]]
    sample_apply: Callable[..., TargetOutput] | None = None
    activations: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def report(self) -> str:
        """Its sites, and what the adapter saw and did not take, one line each."""
        rows = [f"{self.name}: {self.num_classes} classes, {len(self.sites)} sites"]
        width = max((len(site.name) for site in self.sites), default=0)
        for site in self.sites:
            rows.append(f"  {site.name:{width}}  {site.channels:5d} channels  {site.size()}")
        return "\n".join([*rows, *self.notes])

    def _repr_html_(self) -> str:
        neurons = sum(site.channels for site in self.sites)
        caption = f"{self.name}: {self.num_classes} classes, {len(self.sites)} sites, {neurons:,} channels"
        rows = [(site.name, site.channels, site.size()) for site in self.sites]
        return markup.table(caption, ("site", "channels", "size"), rows)


class Pathway(NamedTuple):
    """The neurons that carry a decision.

    Attributes:
        scores: Site name -> importance, [B, C] or the activation's shape. Higher is kept longer.
        masks: Site name -> 0/1 of the same shape; these are gates.

    Without the leading batch axis it is a class pathway.
    """

    scores: dict[str, Array]
    masks: dict[str, Array]

    def _repr_html_(self) -> str:
        masks = {name: np.asarray(mask, np.float32) for name, mask in sorted(self.masks.items())}
        has_batch = _has_batch(list(masks.values()))
        of = f"Pathways of {len(next(iter(masks.values())))} images" if has_batch else "Class pathway"
        total = sum(mask.sum() for mask in masks.values()) / sum(mask.size for mask in masks.values())
        rows = []
        for name, mask in masks.items():
            size = " x ".join(map(str, mask.shape[has_batch:]))
            rows.append((name, size, markup.percent(mask.mean()), markup.bar(mask.mean())))
        return markup.table(f"{of}: {markup.percent(total)} open", ("site", "neurons", "open", ""), rows)


def _has_batch(masks: list[np.ndarray]) -> bool:
    """Whether the masks of a pathway have the leading axis of images: by their ranks, and equal lengths."""
    ranks, lengths = {mask.ndim for mask in masks}, {len(mask) for mask in masks}
    if not masks or 1 in ranks or len(lengths) > 1:
        return False
    return ranks != {3} or len(masks) > 1


class Explainer(Protocol):
    """Explains a batch of images by one pathway each; the flagship and every baseline alike."""

    def __call__(self, params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
        """Returns the pathways of ``images`` [B, H, W, C] for the classes ``labels`` [B]."""
        ...


class Attribution(Protocol):
    """Says how much each pixel matters to a class; all methods alike."""

    def __call__(self, params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        """Returns maps [B, H, W] of ``images`` [B, H, W, C] for the classes ``labels`` [B].

        Images do not mix: an image's map is the same in any batch.
        """
        ...


class Mean(NamedTuple):
    """An exact mean over batches, shards and padded examples: two sums, divided once at the end.

    >>> import jax.numpy as jnp
    >>> a = Mean.of(jnp.array([1.0, 1.0, 1.0, 1.0]))
    >>> b = Mean.of(jnp.array([0.0, 9.0]), weight=jnp.array([1.0, 0.0]))
    >>> float((a + b).value)
    0.800000011920929
    """

    total: Array
    count: Array  # type: ignore[assignment]  # tuple.count is not missed here

    @classmethod
    def of(cls, values: Array, weight: Array | None = None) -> "Mean":
        """Sums per-example ``values`` [B]; an example of ``weight`` 0 [B] is padding."""
        if weight is None:
            weight = jax.numpy.ones_like(values)
        # where, not a product: a padded example may hold a NaN, and NaN * 0 is NaN.
        values = jax.numpy.where(weight > 0, values, 0)
        return cls(total=(values * weight).sum(), count=weight.sum())

    def __add__(self, other: "Mean") -> "Mean":  # type: ignore[override]
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> Array:
        """The mean; NaN where nothing was counted."""
        return self.total / self.count


class Objective(Protocol):
    """What a training step minimises. Each device calls it on its own part of the batch."""

    def __call__(
        self, params: Params, extra: Any, frozen: Any, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[Any, Mapping[str, Array | Mean]]]:
        """Returns per-example losses [b] and, not differentiated, the next ``extra`` and metrics.

        Args:
            params: What is trained; the only argument that is differentiated.
            extra: State carried from the step before. The returned one must be the same on every
                device: average what depends on the batch with ``lax.pmean(..., jaxpath.devices.AXIS)``.
            frozen: Arrays that are used and not trained, such as a target's weights.
            batch: This device's part, arrays [b, ...].
            keys: Typed random keys [b], one per example.

        The metrics are per-example arrays [b]; or [] where they are the same on all devices (a
        dual variable); or a :class:`Mean` where only some examples count.
        """
        ...
