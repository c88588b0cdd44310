"""The generator: from a frozen target's feature maps to a score for every neuron.

Three parts as published (arXiv 2309.09887); every layer shape below is our reading, as no code is public.
Recursive Feature Embedders read the sites from shallow to deep, a Pathway Distillation Network condenses
the embeddings, Recursive Pathway Decoders score the sites from deep to shallow.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from jaxpath.choices import Ablation
from jaxpath.gencnp.reading import Reading, Slopes
from jaxpath.gencnp.recursion import recurse, site_weights
from jaxpath.layers import Dense, adaptive_average_pool, patches
from jaxpath.pathways import unflatten
from jaxpath.places import as_map
from jaxpath.types import InputError, Params, Site

_MEANS = "taylor_mean"
"""Parameter that holds what a channel is closed to in the second Taylor score."""

_MOST = 4.0
"""Largest Taylor score, in standard deviations over an image's channels."""


class GeneratorOutput(NamedTuple):
    """What the generator says of a batch.

    Attributes:
        logits: Site name -> score logits, [B, C], or [B, H, W, C] at unit granularity. The score is
            their sigmoid; above 0 the neuron is kept.
        class_logits: [B, K], the distillation network's own guess of the target's prediction.
    """

    logits: dict[str, Array]
    class_logits: Array


class _Group(NamedTuple):
    """Sites whose pooled features have one shape: their layers have weights of their own and run at once.

    One by one, the layers of a ResNet-50's 49 sites are 850 arrays, and take a minute to compile.

    Attributes:
        name: Their shape, such as "4x4x64".
        members: Their indices.
        maps: Their pooled features [G, B, h, w, C].
    """

    name: str
    members: list[int]
    maps: Array


class Generator(nn.Module):
    """Predicts a pathway from feature maps.

    Attributes:
        sites: The target's sites.
        num_classes: K.
        width: D, width of every embedding.
        grid: Feature maps are averaged to ``grid`` x ``grid`` before anything else, which keeps the
            generator small beside the target. It is also the number of places that unit granularity tells
            apart.
        initial_logit: Score logit of every neuron at the start: positive begins with the almost
            complete network and learns to remove.
        recursive: Each embedder also reads the one before it, each decoder the one after it.
        distill: Condense all embeddings into z; otherwise z is the deepest embedding.
        decoder_sees: What a decoder adds to its recursion: the site's own embedding and z ("both"),
            z alone ("distilled") or the embedding alone ("embedding").
        class_conditional: Tell the decoders which class it is whose pathway they predict, by the target's
            evidence for it (see :func:`~jaxpath.gencnp.read`) added to z: our choice. They need not guess
            then what the target itself knows exactly.
        modulate: Let a decoder weigh the channels' mean activations: score = b + v.h + (u.h) a, our
            choice. A class-dependent weight on what the image excites is the form of a Taylor score.
        taylor: Add two Taylor scores of each channel, of closing it to 0 and to its mean, with learned gains:
            our choice. The means are kept with the parameters (:func:`with_means`) and not trained. It costs
            one backward pass of the target.
        granularity: "channel" or "unit".
        cuts: Densities at which an explainer tries the scores, for a generator that was trained with a
            budget; empty: neurons above score 0.5 are kept.
        tried_with: What closed neurons hold in those trials, "zero" and, with ``taylor``, "mean": a cut has
            to carry the decision under each of them.

    >>> from jaxpath import gencnp, targets
    >>> target, key = targets.resnet8(image_size=8, channels=1), jax.random.key(0)
    >>> params, images = jax.eval_shape(target.init, key), jnp.zeros((2, 8, 8, 1))  # shapes alone
    >>> _, reading = jax.eval_shape(lambda params: gencnp.read(target, params, images), params)
    >>> generator = gencnp.Generator(target.sites, target.num_classes, width=32)
    >>> trained = jax.eval_shape(generator.init, key, reading)
    >>> jax.eval_shape(generator.apply, trained, reading).logits["003.layer2.0.relu1"].shape
    (2, 32)
    """

    sites: tuple[Site, ...]
    num_classes: int
    width: int = 128
    grid: int = 2
    initial_logit: float = 2.0
    recursive: bool = True
    distill: bool = True
    decoder_sees: Literal["both", "distilled", "embedding"] = "both"
    class_conditional: bool = True
    modulate: bool = True
    taylor: bool = False
    granularity: Literal["channel", "unit"] = "channel"
    cuts: tuple[float, ...] = ()
    tried_with: tuple[Ablation, ...] = ("zero",)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, reading: Reading) -> GeneratorOutput:
        """Scores the neurons of a batch, given what the target says of it without gates."""
        features = [as_map(reading.features[site.name], site) for site in self.sites]
        groups = _group(features, self.grid)
        embeddings = self._embed(groups)
        z = embeddings[-1]
        if self.distill:
            z = nn.relu(self._dense("distill_hidden", jnp.concatenate(list(embeddings), axis=-1)))
            z = nn.LayerNorm(dtype=self.dtype, name="distill_norm")(self._dense("distill", z))
        class_logits = Dense(self.num_classes, dtype=self.dtype, name="class_head")(z)
        evidence = _relative(reading.evidence)
        if self.class_conditional:
            z = z + self._dense("class_evidence", evidence)
        logits = self._score(self._decode(z, embeddings), groups, features)
        if self.class_conditional and self.granularity == "channel":
            # The last site's channels begin in the order of a signed Taylor score.
            gain = self.param("evidence_gain", nn.initializers.ones, ())
            logits[-1] = logits[-1] + gain * evidence
        if self.taylor:
            logits = self._add_taylor(logits, reading.slopes)
        named = {
            site.name: value if value.ndim == 2 else value.reshape(reading.features[site.name].shape)
            for site, value in zip(self.sites, logits, strict=True)
        }
        return GeneratorOutput(named, class_logits.astype(jnp.float32))

    def _dense(self, name: str, x: Array) -> Array:
        return Dense(self.width, dtype=self.dtype, name=name)(x)

    def _embed(self, groups: Sequence[_Group]) -> Array:
        """One embedding per site, shallow to deep, [S, B, D]."""
        by_group = [
            _each(_Embedder)(self.width, self.dtype, name=f"embed_{group.name}")(group.maps)
            for group in groups
        ]
        embeddings = jnp.stack(_by_site(groups, by_group))
        if not self.recursive:
            return embeddings
        weights = site_weights(len(self.sites), 2 * self.width, self.width, "embed_recursion")
        return recurse(weights, jnp.zeros_like(embeddings[0]), embeddings, dtype=self.dtype)

    def _decode(self, z: Array, embeddings: Array) -> Array:
        """What the scores of every site are read from, computed from deep to shallow, [S, B, D]."""
        sees = self.decoder_sees != "distilled"
        inputs = 2 * self.width if sees else self.width
        weights = site_weights(len(self.sites), inputs, self.width, "decode_recursion")
        start = jnp.zeros_like(z) if self.decoder_sees == "embedding" else z
        seen = embeddings if sees else None
        return recurse(weights, start, seen, dtype=self.dtype, recursive=self.recursive, reverse=True)

    def _score(self, states: Array, groups: Sequence[_Group], features: Sequence[Array]) -> list[Array]:
        """Score logits of every site, [B, C], or [B, H, W, C]."""
        by_group: list[Sequence[Array]] = []
        for group in groups:
            x = jnp.stack([states[i] for i in group.members])
            scorer = _each(_Scorer)(self.initial_logit, self.modulate, self.dtype, name=f"score_{group.name}")
            scores: Sequence[Array] = list(scorer(x, group.maps))
            if self.granularity == "unit" and features[group.members[0]].ndim == 4:
                grid = group.maps.shape[2:4]
                bias = nn.initializers.constant(self.initial_logit)
                place = _each(Dense)(
                    math.prod(grid), dtype=self.dtype, bias_init=bias, name=f"place_{group.name}"
                )
                places = place(x).reshape(*x.shape[:2], *grid, 1)
                scores = [
                    _spread(a, b, features[i].shape)
                    for a, b, i in zip(scores, places, group.members, strict=True)
                ]
            by_group.append(scores)
        return _by_site(groups, by_group)

    def _add_taylor(self, logits: Sequence[Array], slopes: Slopes | None) -> list[Array]:
        """Score logits of every site, with what closing each channel does to first order."""
        if slopes is None:
            raise InputError(
                "the generator adds Taylor scores, and what it reads has no slopes: read them with "
                "read(..., slopes=True)"
            )
        count = sum(site.channels for site in self.sites)
        mean = jax.lax.stop_gradient(self.param(_MEANS, nn.initializers.zeros, (count,)))
        gain = self.param("taylor_gain", nn.initializers.ones, (2, 1, count))
        size_gain = self.param("taylor_size_gain", nn.initializers.zeros, (2, 1, count))
        scores = jnp.stack([slopes.product, slopes.product - mean[None] * slopes.gradient])  # [2, B, N]
        # A few channels have most of it; what is bounded disturbs no training.
        scores = jnp.clip(scores / (scores.std(axis=-1, keepdims=True) + 1e-9), -_MOST, _MOST)
        added = unflatten((gain * scores + size_gain * jnp.abs(scores)).sum(axis=0), self.sites)
        return [
            logit + added[site.name].reshape(-1, *(1,) * (logit.ndim - 2), site.channels)
            for site, logit in zip(self.sites, logits, strict=True)
        ]


def with_means(params: Params, means: Mapping[str, Any], sites: Sequence[Site]) -> Params:
    """Parameters of a generator with ``taylor``, whose Taylor scores close channels to these means.

    Args:
        params: The generator's.
        means: Site name -> [C], such as :func:`jaxpath.metrics.site_means` returns.
        sites: The target's.
    """
    flat = jnp.concatenate([jnp.asarray(means[site.name], jnp.float32) for site in sites])
    return {**params, "params": {**params["params"], _MEANS: flat}}


def means_of(params: Params, sites: Sequence[Site]) -> dict[str, Array]:
    """The means that :func:`with_means` set: site name -> [C].

    Raises:
        InputError: The generator has none.
    """
    if _MEANS not in params["params"]:
        raise InputError('the generator is tried with "mean" and knows no means; make one with taylor=True')
    return unflatten(params["params"][_MEANS], sites)


def generate(generator: Generator, params: Params, reading: Reading) -> GeneratorOutput:
    """What ``generator`` says of a batch, given what the target says of it without gates."""
    return cast(GeneratorOutput, generator.apply(params, reading))


def _relative(values: Array) -> Array:
    """Rows of [B, C] over their mean magnitude."""
    return values / (jnp.abs(values).mean(axis=-1, keepdims=True) + 1e-6)


def pool(feature: Array, grid: int) -> Array:
    """Averages a feature map to at most ``grid`` x ``grid``; a dense site becomes 1 x 1."""
    if feature.ndim == 2:
        return feature[:, None, None, :]
    size = (min(grid, feature.shape[1]), min(grid, feature.shape[2]))
    return adaptive_average_pool(feature, size)


def _group(features: Sequence[Array], grid: int) -> list[_Group]:
    pooled = [pool(feature, grid) for feature in features]
    members: dict[str, list[int]] = {}
    for i, feature in enumerate(features):
        shape = pooled[i].shape[1:] if feature.ndim == 4 else feature.shape[1:]
        members.setdefault("x".join(map(str, shape)), []).append(i)
    return [_Group(name, group, jnp.stack([pooled[i] for i in group])) for name, group in members.items()]


def _by_site(groups: Sequence[_Group], values: Sequence[Iterable[Array]]) -> list[Array]:
    """From values per group and member to values in the order of the sites."""
    by_number = {
        i: x
        for group, part in zip(groups, values, strict=True)
        for i, x in zip(group.members, part, strict=True)
    }
    return [by_number[i] for i in range(len(by_number))]


_each = functools.partial(nn.vmap, variable_axes={"params": 0}, split_rngs={"params": True})
"""Of a layer: one per member of a group, with inputs and outputs [G, ...]."""


class _Embedder(nn.Module):
    """A pooled feature map [B, h, w, C] -> [B, D], by a convolution, up to 3 x 3, and a mean over places."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        # A product: with a kernel per site, a convolution would become a grouped one, slow on accelerators.
        columns = patches(x, (min(3, x.shape[1]), min(3, x.shape[2])))
        x = Dense(self.width, dtype=self.dtype, name="convolution")(columns)
        return nn.relu(nn.LayerNorm(dtype=self.dtype, name="norm")(x)).mean(axis=(1, 2))


class _Scorer(nn.Module):
    """A channel's score logit from a site's state [B, D] and pooled features [B, h, w, C], [B, C]."""

    initial_logit: float
    modulate: bool
    dtype: Any

    @nn.compact
    def __call__(self, state: Array, pooled: Array) -> Array:
        # Small, as the states of a deep target are sums of many layers: all scores begin near the bias.
        score = Dense(
            pooled.shape[-1],
            dtype=self.dtype,
            kernel_init=nn.initializers.variance_scaling(0.01, "fan_in", "normal"),
            bias_init=nn.initializers.constant(self.initial_logit),
            name="score",
        )(state)
        if self.modulate:
            activity = _relative(pooled.mean(axis=(1, 2)))
            # Zero at the start: the scores begin as the plain ones.
            gain = Dense(pooled.shape[-1], dtype=self.dtype, kernel_init=nn.initializers.zeros, name="gain")
            score = score + gain(state) * activity
        return score.astype(jnp.float32)


def _spread(score: Array, place: Array, shape: tuple[int, ...]) -> Array:
    """Unit logits: the product of a channel's score and a place's score on the grid, upsampled.

    Args:
        score: [B, C].
        place: [B, h, w, 1].
        shape: [B, H, W, C], that of the feature map.
    """
    place = jax.image.resize(place.astype(jnp.float32), (*shape[:3], 1), "bilinear")
    channel = jnp.broadcast_to(score[:, None, None, :], shape)
    place = jnp.broadcast_to(place, shape)
    # logit(sigmoid(a) sigmoid(b)) = -log(e^-a + e^-b + e^-(a + b)), without overflow.
    return -jnp.logaddexp(jnp.logaddexp(-channel, -place), -channel - place)
