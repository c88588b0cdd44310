"""Stochastic local winner-takes-all (LWTA): units in blocks of U compete, and one of each block passes.

Panousis and Chatzis 2023, "DISCOVER" (arXiv 2310.04929). The layer, its gradient and its place in a network
are those of the official code; the probabilistic model as a whole is our reading. Competition is along the
last axis, so that one implementation serves [B, K], every token of [B, T, K] and every position of
[B, H, W, C]; adjacent units share a block.
"""

import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.gating import Taps, join
from jaxpath.types import Competition, InputError

TEMPERATURE = 1.67
"""Of the straight-through samples while training (official code). The forward pass does not depend on it."""


class LWTAOutput(NamedTuple):
    """What a layer of competing units returns; K units in B = K / U blocks.

    Attributes:
        y: [..., K]. Winners pass as they are, with their sign; losers are 0.
        winners: int32 [..., B], the winner's place in its block.
        probs: q = softmax(h) within each block, [..., B, U], float32.
        kl: KL(q || uniform) = log U - H(q) in nats, [..., B].
    """

    y: Array
    winners: Array
    probs: Array
    kl: Array


def lwta(h: Array, *, block_size: int, key: Array, temperature: float = TEMPERATURE) -> LWTAOutput:
    """Draws the winners from Categorical(softmax(h)); straight-through Gumbel-softmax gradients.

    s = softmax((h + Gumbel noise) / temperature), xi = onehot(argmax s), y = xi h. The draw is exact at every
    temperature, and only the gradient depends on it: dy_i / dh_j = [i = j] xi_i + h_i s_i ([i = j] - s_j) /
    temperature, so that losers learn as well (official code). A temperature of 0 takes the largest h.

    Args:
        h: Pre-activations [..., K], which are the logits of the competition.
        block_size: U, the competitors of a block; it divides K.
        key: One random key, or one for each entry of h's first axis.
        temperature: tau.

    Raises:
        InputError: U does not divide K, or the temperature is below 0.
    """
    _check_temperature(temperature)
    if temperature == 0:
        return lwta_argmax(h, block_size=block_size)
    soft, blocks = _soft_sample(h, block_size, key, temperature)
    winners = soft.argmax(axis=-1)
    hard = jax.nn.one_hot(winners, block_size)
    # The difference is exactly 0: losers are 0 and winners are not rounded.
    return _output(h, blocks, hard + (soft - jax.lax.stop_gradient(soft)), winners)


def lwta_argmax(h: Array, *, block_size: int) -> LWTAOutput:
    """Lets the largest pre-activation of each block win, the first one where several are equal."""
    blocks = _split(h, block_size)
    winners = blocks.argmax(axis=-1)
    return _output(h, blocks, jax.nn.one_hot(winners, block_size), winners)


def winner_mask(winners: Array, *, block_size: int) -> Array:
    """Winners [..., B] as 0/1 for every unit [..., K], float32: a gate for the pre-activations."""
    hot = jax.nn.one_hot(winners, block_size)
    return hot.reshape(*winners.shape[:-1], -1)


def win_rate(winners: Array, *, block_size: int) -> Array:
    """How often each unit wins for each image: winners [N, ..., B] -> [N, K], the mean over positions."""
    mask = winner_mask(winners, block_size=block_size)
    return mask.mean(axis=tuple(range(1, mask.ndim - 1)))


class Competing:
    """An :class:`~jaxpath.gating.Activation` that blocks of adjacent units compete for.

    Args:
        taps: Of the same call.
        competitors: U.
        keys: One random key per example [B], from which each activation draws its own; None draws nothing,
            and the largest pre-activations win.
        temperature: tau of the draws.
    """

    def __init__(
        self, taps: Taps, competitors: int, keys: Array | None = None, *, temperature: float = TEMPERATURE
    ) -> None:
        self._taps, self._competitors = taps, competitors
        self._keys, self._temperature = keys, temperature
        self._competition: dict[str, Competition] = {}

    def __call__(self, h: Array, place: str = "", number: int | str = "") -> Array:
        """Passes the winners of ``h`` [B, ..., K] on; the site is called ``place.lwta1``."""
        result = self._compete(h)
        passed = self._taps(join(place, f"lwta{number}"), result.y)
        site = next(reversed(self._taps.features))
        self._competition[site] = Competition(result.winners, result.kl)
        return passed

    @property
    def competition(self) -> dict[str, Competition]:
        """Who won, by site."""
        return self._competition

    def _compete(self, h: Array) -> LWTAOutput:
        if self._keys is None:
            return lwta_argmax(h, block_size=self._competitors)
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(self._keys, len(self._competition))
        return lwta(h, block_size=self._competitors, key=keys, temperature=self._temperature)


def competing_name(name: str, competitors: int) -> str:
    """The name of a target whose channels compete.

    Raises:
        InputError: There are fewer competitors than one.

    >>> competing_name("resnet18", 4), competing_name("resnet18", 1)
    ('resnet18_lwta4', 'resnet18')
    """
    if competitors < 1:
        raise InputError(f"{name} was to have {competitors} competitors in a block; expected 1 or more")
    return name if competitors == 1 else f"{name}_lwta{competitors}"


def split_name(name: str) -> tuple[str, int]:
    """The inverse of :func:`competing_name`.

    >>> split_name("resnet18_lwta4"), split_name("resnet18")
    (('resnet18', 4), ('resnet18', 1))
    """
    match = re.fullmatch(r"(.+)_lwta(\d+)", name)
    return (match[1], int(match[2])) if match else (name, 1)


def _soft_sample(h: Array, block_size: int, key: Array, temperature: float) -> tuple[Array, Array]:
    """softmax((h + g) / temperature) within blocks, and the blocks [..., B, U] in float32."""
    blocks = _split(h, block_size)
    if key.ndim:
        noise = jax.vmap(lambda one: jax.random.gumbel(one, blocks.shape[1:]))(key)
    else:
        noise = jax.random.gumbel(key, blocks.shape)
    return jax.nn.softmax((blocks + noise) / temperature, axis=-1), blocks


def _split(h: Array, block_size: int) -> Array:
    """[..., K] -> [..., B, U] in float32."""
    if block_size < 1 or h.shape[-1] % block_size:
        raise InputError(
            f"{h.shape[-1]} units were to compete in blocks of {block_size}; expected a number of "
            f"competitors that divides {h.shape[-1]}"
        )
    return h.reshape(*h.shape[:-1], -1, block_size).astype(jnp.float32)


def _output(h: Array, blocks: Array, xi: Array, winners: Array) -> LWTAOutput:
    log_q = jax.nn.log_softmax(blocks, axis=-1)
    probs = jnp.exp(log_q)
    kl = (probs * log_q).sum(axis=-1) + jnp.log(float(blocks.shape[-1]))
    return LWTAOutput(xi.reshape(h.shape).astype(h.dtype) * h, winners.astype(jnp.int32), probs, kl)


def _check_temperature(temperature: float) -> None:
    if temperature < 0:
        raise InputError(f"the temperature of the competition is {temperature}; expected 0 or more")
