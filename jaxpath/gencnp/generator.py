"""The generator: from a frozen target's feature maps to a score for every neuron.

Three parts as published (arXiv 2309.09887); every layer shape below is our reading, as no code is public.
Recursive Feature Embedders read the sites from shallow to deep, a Pathway Distillation Network condenses
what they found, Recursive Pathway Decoders score the sites from deep to shallow.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from jaxpath.layers import Conv, adaptive_average_pool
from jaxpath.types import Params, Site, TargetOutput


class GeneratorOutput(NamedTuple):
    """What the generator says of a batch.

    Attributes:
        logits: Site name -> score logits, [B, C], or [B, H, W, C] at unit granularity. The score is
            their sigmoid; above 0 the neuron is kept.
        class_logits: [B, K], the distillation network's own guess of the target's prediction.
    """

    logits: dict[str, Array]
    class_logits: Array


class Generator(nn.Module):
    """Predicts a pathway from feature maps.

    Attributes:
        sites: The target's sites.
        num_classes: K.
        width: D, width of every embedding.
        grid: Feature maps are averaged to ``grid`` x ``grid`` before anything else, which keeps the
            generator small beside the target.
        initial_logit: Score logit of every neuron at the start: positive begins with the almost
            complete network and learns to remove.
        recursive: Each embedder also reads the one before it, each decoder the one after it.
        distill: Condense all embeddings into z; otherwise z is the deepest embedding.
        decoder_sees: What a decoder adds to its recursion: the site's own embedding and z ("both"),
            z alone ("distilled") or the embedding alone ("embedding").
        class_conditional: Tell the decoders which class it is whose pathway they predict, by an embedding
            added to z: our choice. They need not guess then what the target itself knows exactly.
        modulate: Let a decoder weigh the channels' mean activations: score = b + v.h + (u.h) a, our
            choice. A class-dependent weight on what the image excites is the form of a Taylor score.
        granularity: "channel" or "unit".
        cuts: Densities at which an explainer tries the scores, for a generator that was trained with a
            budget; empty: neurons above score 0.5 are kept.
    """

    sites: tuple[Site, ...]
    num_classes: int
    width: int = 128
    grid: int = 4
    initial_logit: float = 2.0
    recursive: bool = True
    distill: bool = True
    decoder_sees: Literal["both", "distilled", "embedding"] = "both"
    class_conditional: bool = True
    modulate: bool = True
    granularity: Literal["channel", "unit"] = "channel"
    cuts: tuple[float, ...] = ()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, clean: TargetOutput) -> GeneratorOutput:
        """Scores the neurons of a batch, given what the target says of it without gates."""
        features = clean.features
        pooled = {site.name: pool(features[site.name], self.grid) for site in self.sites}
        embeddings = self._embed(pooled)
        z = embeddings[-1]
        if self.distill:
            z = nn.relu(self._dense("distill_hidden", jnp.concatenate(embeddings, axis=-1)))
            z = nn.LayerNorm(dtype=self.dtype, name="distill_norm")(self._dense("distill", z))
        class_logits = nn.Dense(self.num_classes, dtype=self.dtype, name="class_head")(z)
        if self.class_conditional:
            z = z + nn.Embed(self.num_classes, self.width, dtype=self.dtype, name="class_embedding")(
                clean.logits.argmax(axis=-1)
            )
        logits = self._decode(z, embeddings, pooled, features)
        return GeneratorOutput(logits, class_logits.astype(jnp.float32))

    def _dense(self, name: str, x: Array) -> Array:
        return nn.Dense(self.width, dtype=self.dtype, name=name)(x)

    def _embed(self, pooled: Mapping[str, Array]) -> list[Array]:
        """One embedding [B, D] per site, shallow to deep."""
        embeddings: list[Array] = []
        for index, site in enumerate(self.sites):
            x = pooled[site.name]
            kernel = (min(3, x.shape[1]), min(3, x.shape[2]))
            x = Conv(self.width, kernel, padding="VALID", dtype=self.dtype, name=f"embed_conv_{index:03d}")(x)
            x = nn.relu(nn.LayerNorm(dtype=self.dtype, name=f"embed_norm_{index:03d}")(x)).mean(axis=(1, 2))
            if self.recursive:
                before = embeddings[-1] if embeddings else jnp.zeros_like(x)
                mixed = nn.relu(self._dense(f"embed_{index:03d}", jnp.concatenate([x, before], axis=-1)))
                x = nn.LayerNorm(dtype=self.dtype, name=f"embed_mix_norm_{index:03d}")(mixed) + before
            embeddings.append(x)
        return embeddings

    def _decode(
        self, z: Array, embeddings: list[Array], pooled: Mapping[str, Array], features: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Score logits of every site, deep to shallow."""
        logits = {}
        start = jnp.zeros_like(z) if self.decoder_sees == "embedding" else z
        state = start
        for index, site in reversed(list(enumerate(self.sites))):
            before = state if self.recursive else start
            seen = before
            if self.decoder_sees != "distilled":
                seen = jnp.concatenate([before, embeddings[index]], axis=-1)
            mixed = nn.relu(self._dense(f"decode_{index:03d}", seen))
            state = nn.LayerNorm(dtype=self.dtype, name=f"decode_norm_{index:03d}")(mixed) + before
            logits[site.name] = self._score(index, site, state, pooled[site.name], features[site.name])
        return logits

    def _score(self, index: int, site: Site, state: Array, pooled: Array, feature: Array) -> Array:
        """Score logits of one site: [B, D] -> [B, C], or [B, H, W, C]."""
        # Small, as the states of a deep target are sums of many layers: all scores begin near the bias.
        score = nn.Dense(
            site.channels,
            dtype=self.dtype,
            kernel_init=nn.initializers.variance_scaling(0.01, "fan_in", "normal"),
            bias_init=nn.initializers.constant(self.initial_logit),
            name=f"score_{index:03d}",
        )(state)
        if self.modulate:
            activity = pooled.mean(axis=(1, 2))
            activity = activity / (activity.mean(axis=-1, keepdims=True) + 1e-6)
            # Zero at the start: the scores begin as the plain ones.
            gain = nn.Dense(
                site.channels, dtype=self.dtype, kernel_init=nn.initializers.zeros, name=f"gain_{index:03d}"
            )(state)
            score = score + gain * activity
        score = score.astype(jnp.float32)
        if self.granularity == "channel" or feature.ndim == 2:
            return score
        return self._spread(index, score, state, pooled, feature)

    def _spread(self, index: int, score: Array, state: Array, pooled: Array, feature: Array) -> Array:
        """Unit logits: the product of a channel's score and a place's score on the grid, upsampled."""
        _, rows, columns, _ = pooled.shape
        place = nn.Dense(
            rows * columns,
            dtype=self.dtype,
            bias_init=nn.initializers.constant(self.initial_logit),
            name=f"place_{index:03d}",
        )(state)
        place = place.astype(jnp.float32).reshape(-1, rows, columns, 1)
        place = jax.image.resize(place, (*feature.shape[:3], 1), "bilinear")
        channel = jnp.broadcast_to(score[:, None, None, :], feature.shape)
        place = jnp.broadcast_to(place, feature.shape)
        # logit(sigmoid(a) sigmoid(b)) = -log(e^-a + e^-b + e^-(a + b)), without overflow.
        return -jnp.logaddexp(jnp.logaddexp(-channel, -place), -channel - place)


def generate(generator: Generator, params: Params, clean: TargetOutput) -> GeneratorOutput:
    """What ``generator`` says of a batch, given what the target says of it without gates."""
    return cast(GeneratorOutput, generator.apply(params, clean))


def pool(feature: Array, grid: int) -> Array:
    """Averages a feature map to at most ``grid`` x ``grid``; a dense site becomes 1 x 1."""
    if feature.ndim == 2:
        return feature[:, None, None, :]
    size = (min(grid, feature.shape[1]), min(grid, feature.shape[2]))
    return adaptive_average_pool(feature, size)
