"""ViT and DeiT of the sizes Tiny and Small, whose hidden MLP units may compete.

Dosovitskiy et al. 2021, arXiv 2010.11929; Touvron et al. 2021, arXiv 2012.12877. Patches of 16 x 16, a class
token, twelve blocks with attention and an MLP of four times the width; the sites are the MLPs' activations,
[B, T, 4 D], the class token first. A ViT is the same function as a DeiT, with other weights and another
preprocessing. Submodules carry timm's names, with ``_`` before an index.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Activation, Pointwise, Taps
from jaxpath.layers import Conv, Dense, gelu
from jaxpath.targets.family import Family, Released, Shapes
from jaxpath.targets.linen import compute_dtype, from_linen, make_preprocessing
from jaxpath.targets.lwta import TEMPERATURE, Competing, competing_name
from jaxpath.types import Competition, Gates, InputError, Patches, Target

_dense = partial(Dense, kernel_init=nn.initializers.truncated_normal(0.02))
_norm = partial(nn.LayerNorm, epsilon=1e-6)


class Attention(nn.Module):
    """Softmax attention of ``heads`` heads over all tokens."""

    heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, tokens, width = x.shape
        qkv = _dense(3 * width, dtype=self.dtype, name="qkv")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(batch, tokens, 3, self.heads, -1), 2, 0)  # [B, T, heads, d]
        odds = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // self.heads) ** -0.5
        weights = jax.nn.softmax(odds.astype(jnp.float32)).astype(self.dtype)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, tokens, width)
        return _dense(width, dtype=self.dtype, name="proj")(mixed)


class Mlp(nn.Module):
    """Dense, activation, dense: one site."""

    place: str
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, activate: Activation) -> Array:
        width = x.shape[-1]
        h = _dense(4 * width, dtype=self.dtype, name="fc1")(x)
        y = activate(h, self.place)  # [B, T, 4 D]
        return _dense(width, dtype=self.dtype, name="fc2")(y)


class Block(nn.Module):
    """Attention and MLP, each on normalised tokens and added to them."""

    place: str
    heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, activate: Activation) -> Array:
        norm = partial(_norm, dtype=self.dtype)
        x = x + Attention(self.heads, self.dtype, name="attn")(norm(name="norm1")(x))
        return x + Mlp(f"{self.place}.mlp", self.dtype, name="mlp")(norm(name="norm2")(x), activate)


class DeiT(nn.Module):
    """Patches, class token, blocks, classifier on the class token.

    Attributes:
        width: D of a token.
        heads: Of each attention; they share the width.
        depth: Number of blocks.
        patch: Side of a patch in pixels.
        competitors: Units of an MLP that compete; 1 is a GELU. See :mod:`jaxpath.targets.lwta`.
        temperature: Of the draws.
    """

    num_classes: int
    width: int = 192
    heads: int = 3
    depth: int = 12
    patch: int = 16
    competitors: int = 1
    temperature: float = TEMPERATURE
    dtype: Any = jnp.float32
    axis_name: str | None = None

    def patches(self, height: int, width: int) -> Patches:
        """Where the patches of an image are among the tokens: behind the class token."""
        return Patches(1, (height // self.patch, width // self.patch))

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False, keys: Array | None = None
    ) -> tuple[Array, dict[str, Array], dict[str, Competition] | None]:
        del train  # no batch statistics, and all rates of dropout are 0 (official code)
        taps = Taps(gates)
        activate: Activation = Pointwise(taps, gelu)
        if self.competitors > 1:
            activate = Competing(taps, self.competitors, keys, temperature=self.temperature)
        x = _Patches(self.width, self.patch, self.dtype, name="patch_embed")(images)
        token = self.param("cls_token", nn.initializers.normal(1e-6), (1, 1, self.width))
        token = jnp.broadcast_to(token, (len(x), 1, self.width)).astype(self.dtype)
        x = jnp.concatenate([token, x], axis=1)  # [B, T, D]
        place = self.param("pos_embed", nn.initializers.normal(0.02), (1, *x.shape[1:]))
        x = x + place.astype(self.dtype)
        for index in range(self.depth):
            x = Block(f"blocks.{index}", self.heads, self.dtype, name=f"blocks_{index}")(x, activate)
        x = _norm(dtype=self.dtype, name="norm")(x)[:, 0]
        logits = _dense(self.num_classes, dtype=jnp.float32, name="head")(x.astype(jnp.float32))
        return logits, taps.features, activate.competition


class _Patches(nn.Module):
    width: int
    patch: int
    dtype: Any

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """[B, H, W, C] -> [B, tokens, D], row by row."""
        if any(side % self.patch for side in images.shape[1:3]):
            raise InputError(
                f"a DeiT was made for images of {images.shape[1]} x {images.shape[2]} pixels; expected "
                f"multiples of its patches' side {self.patch}: choose another image_size"
            )
        side = (self.patch, self.patch)
        init = nn.initializers.truncated_normal(0.02)
        x = Conv(self.width, side, side, padding=0, dtype=self.dtype, kernel_init=init, name="proj")(images)
        return x.reshape(len(x), -1, self.width)


def _deit(
    name: str,
    width: int,
    heads: int,
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    competitors: int = 1,
) -> Target:
    module = DeiT(num_classes, width, heads, competitors=competitors, dtype=compute_dtype(dtype))
    preprocessing = make_preprocessing(image_size, channels)
    if name.startswith("vit"):  # timm's recipes
        preprocessing = preprocessing._replace(mean=channels * (0.5,), std=channels * (0.5,))
    return from_linen(
        module,
        name=competing_name(name, competitors),
        num_classes=num_classes,
        preprocessing=preprocessing,
    )


_SIZES = {"tiny": (192, 3), "small": (384, 6)}
"""Size -> (width of a token, heads)."""

_KINDS = ("deit", "vit")


def _recognise(shapes: Shapes) -> str | None:
    width = shapes["cls_token"][-1] if shapes.get("cls_token") else None
    return next((f"deit_{name}" for name, size in _SIZES.items() if size[0] == width), None)


DEIT = Family(
    {f"{kind}_{name}": partial(_deit, f"{kind}_{name}", *_SIZES[name]) for kind in _KINDS for name in _SIZES},
    _recognise,
    first="patch_embed.proj",
    last="head",
    published={
        f"{kind}_{size}_patch16_{side}": f"{kind}_{size}"
        for kind in _KINDS
        for size in _SIZES
        for side in (224, 384)
    },
    twins={f"vit_{size}": f"deit_{size}" for size in _SIZES},
    released={
        f"{kind}_{size}": Released(f"hf://timm/{kind}_{size}_patch16_224.{recipe}", origin, "Apache-2.0")
        for kind, recipe, origin in (
            ("deit", "fb_in1k", "Facebook"),
            ("vit", "augreg_in21k_ft_in1k", "Google"),
        )
        for size in _SIZES
    },
)
