"""The pooling layer as Linen modules: concept scores, their sharpness, the gate, and a network's pooling."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from jaxpath.compiling import computed_once
from jaxpath.lap import pooling
from jaxpath.layers import Conv
from jaxpath.targets import Pooling
from jaxpath.targets.pooling import Halve
from jaxpath.types import InputError

LARGEST_ALPHA = 5.0
"""Cap of the learned sharpness: weights of e^-25 beside 1."""

_HALF: dict[str, Any] = {"window": (2, 2), "stride": (2, 2), "padding": "SAME"}


class AttentionMaps(NamedTuple):
    """What a pooling layer records.

    Attributes:
        scores: Before the sigmoid, [B, H, W, K].
        pooled: The scores in [0, 1], pooled by their own attention: [B, H', W', K], or [B, K].
        attended: Features pooled over the whole map by each concept, [B, K, C]; None but at the last layer.
        complement: Features pooled by what each concept leaves out, likewise.
    """

    scores: Array
    pooled: Array
    attended: Array | None = None
    complement: Array | None = None


class Concepts(NamedTuple):
    """Scores in [0, 1] [B, H, W, K], sharpness [K], and the share t [] of attention in what flows on."""

    p: Array
    alpha: Array
    gate: Array


class ScoreHead(nn.Module):
    """conv1x1, ReLU, conv1x1: how much each pixel shows each concept, before the sigmoid.

    Attributes:
        num_concepts: K.
        reduction: The hidden layer has C / reduction channels, at least 8.
        bias: Initial score everywhere: -2 is a probability of 0.119.
    """

    num_concepts: int
    reduction: int = 4
    bias: float = -2.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B, H, W, C] -> [B, H, W, K], float32."""
        hidden = max(x.shape[-1] // self.reduction, 8)
        x = nn.relu(Conv(hidden, (1, 1), name="hidden")(x.astype(jnp.float32)))
        return Conv(
            self.num_concepts,
            (1, 1),
            kernel_init=nn.initializers.normal(0.01),
            bias_init=nn.initializers.constant(self.bias),
            name="scores",
        )(x)


class Attention(nn.Module):
    """A score head with the sharpness of its concepts and a gate; records its maps.

    Attributes:
        num_concepts: K.
        alpha: Initial sharpness, above 0: at 0 it would have no gradient.
        gate: Initial value of the gate before the sigmoid; None: no gate, attention alone.
        windows: Keywords of the windows in which scores are pooled; None: the whole map.
        last: Whether attended and left-out features are recorded.
        bias: Initial score, before the sigmoid.
    """

    num_concepts: int
    alpha: float = 2.0
    gate: float | None = None
    windows: Any = None
    last: bool = False
    bias: float = -2.0

    @nn.compact
    def __call__(self, x: Array) -> Concepts:
        """The concepts of a map [B, H, W, C]."""
        if not 0 < self.alpha < LARGEST_ALPHA:
            raise InputError(
                f"the initial sharpness is {self.alpha}; expected more than 0 and less than {LARGEST_ALPHA:g}"
            )
        scores = ScoreHead(self.num_concepts, bias=self.bias, name="head")(x)
        start = nn.initializers.constant(float(np.log(np.expm1(self.alpha))))
        theta = self.param("theta", start, (self.num_concepts,))
        alpha = jnp.minimum(nn.softplus(theta), LARGEST_ALPHA)
        gate = jnp.ones(())
        if self.gate is not None:
            # Files of weights know no scalars.
            gate = nn.sigmoid(self.param("gate", nn.initializers.constant(self.gate), (1,)))[0]
        p = nn.sigmoid(scores)
        if self.windows is None:
            pooled = (pooling.global_attention(p, alpha) * p).sum(axis=(1, 2))
        else:
            pooled = pooling.pool_scores(p, alpha, **self.windows)
        attended = complement = None
        if self.last:
            attended, _ = pooling.global_attention_pool(x, p, alpha)
            complement = pooling.complement_pool(x, p)
        self.sow("intermediates", "maps", AttentionMaps(scores, pooled, attended, complement))
        return Concepts(p, alpha, gate)


class LocalAttentionPool(nn.Module):
    """Local attention pooling as a layer of any network, in place of an average or maximum pool.

    What flows on is the mean of the concepts' features.

    Attributes:
        num_concepts: K.
        window: (height, width).
        stride: Between windows; None: windows side by side.
        padding: Around the map.
        alpha: Initial sharpness.
        gate: Initial value of a gate between ``old`` and attention; None: attention alone.
        last: Whether attended and left-out features are recorded.
        bias: Initial score, before the sigmoid.
    """

    num_concepts: int
    window: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: pooling.Padding = "VALID"
    alpha: float = 2.0
    gate: float | None = None
    last: bool = False
    bias: float = -2.0

    @nn.compact
    def __call__(self, x: Array, old: Array | None = None) -> Array:
        """Pools [B, H, W, C] to [B, H', W', C]; ``old`` is what the replaced layer makes of it."""
        windows: dict[str, Any] = {"window": self.window, "stride": self.stride, "padding": self.padding}
        attend = Attention(
            self.num_concepts, self.alpha, self.gate, windows, self.last, self.bias, name="attention"
        )
        concepts = attend(x)
        pooled = pooling.merged_attention_pool(x, concepts.p, concepts.alpha, **windows)
        return pooled if old is None or self.gate is None else pooling.blend(old, pooled, concepts.gate)


@dataclasses.dataclass(frozen=True)
class AttentionPooling(Pooling):
    """Local attention at some of a network's places, its ordinary pooling at the others.

    Average pools and the final pool are replaced. Strides and maximum pools are blended with attention by a
    gate, if there is one, and replaced otherwise.

    Attributes:
        sites: Places with attention, in forward order.
        num_concepts: K of each site.
        alpha: Initial sharpness.
        gate: Initial value of the gates before the sigmoid; None: no gates.
        read_out: The final pool gives each class's logit the features that this class's concept attends to
            ("class"), or every class the mean over concepts ("merged").
        bias: Initial score, before the sigmoid.
    """

    sites: tuple[str, ...]
    num_concepts: tuple[int, ...]
    alpha: float = 2.0
    gate: float | None = None
    read_out_by: Literal["class", "merged"] = "class"
    bias: float = -2.0

    def transition(self, place: str, x: Array) -> Halve | None:
        if place not in self.sites:
            return None
        p, alpha, gate = self._attention(place, _HALF)(x)
        # Strides and attention both read what the convolution gives.
        return lambda full: pooling.subsample_or_attend(computed_once(full), p, alpha, gate)

    def max_pool(
        self,
        place: str,
        x: Array,
        window: tuple[int, int],
        strides: tuple[int, int],
        padding: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
    ) -> Array:
        old = super().max_pool(place, x, window, strides, padding)
        if place not in self.sites:
            return old
        windows: dict[str, Any] = {"window": window, "stride": strides, "padding": padding}
        p, alpha, gate = self._attention(place, windows)(x)
        return pooling.blend(old, pooling.merged_attention_pool(x, p, alpha, **windows), gate)

    def average_pool(self, place: str, x: Array, window: tuple[int, int]) -> Array:
        if place not in self.sites:
            return super().average_pool(place, x, window)
        p, alpha, _ = self._attention(place, {"window": window}, gated=False)(x)
        return pooling.merged_attention_pool(x, p, alpha, window=window)

    def read_out(self, place: str, x: Array, classifier: nn.Dense) -> Array:
        if place not in self.sites:
            return super().read_out(place, x, classifier)
        p, alpha, _ = self._attention(place, None, gated=False)(x)
        weights = pooling.global_attention(p, alpha)
        if self.read_out_by == "merged":
            weights = weights.mean(axis=-1, keepdims=True)
        # A logit is linear in its features: the classifier of every pixel, averaged, needs no [B, K, C].
        return (weights * classifier(x.astype(jnp.float32))).sum(axis=(1, 2))

    def _attention(self, place: str, windows: Any, *, gated: bool = True) -> Attention:
        number = self.sites.index(place)
        return Attention(
            self.num_concepts[number],
            self.alpha,
            self.gate if gated else None,
            windows,
            last=number == len(self.sites) - 1,
            bias=self.bias,
            name=site_module(self.sites, place),
        )


def site_module(sites: Sequence[str], place: str) -> str:
    """The name of a site's module and record, ``"lap2_avgpool"``; sorted, they are in forward order."""
    return f"lap{list(sites).index(place)}_{place.replace('.', '_')}"
