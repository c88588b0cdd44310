"""Classifiers as users write them, without a thought of gates, and what the adapters make of them."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

from jaxpath import targets
from jaxpath.targets.resnet import BasicBlock, ResNet

PREPROCESSING = targets.make_preprocessing((10, 9), channels=1)
NUM_CLASSES = 3


class LinenBlock(nn.Module):
    """Convolution, group normalisation (its variance is cut off at 0), ReLU, shortcut."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        y = nn.GroupNorm(2, dtype=self.dtype)(nn.Conv(x.shape[-1], (3, 3), dtype=self.dtype)(x))
        return x + nn.relu(y)


class LinenCNN(nn.Module):
    """Four activations in all the ways in which JAX traces them, and a sigmoid that is none."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Conv(6, (3, 3), dtype=self.dtype, name="stem")(x)
        x = jnp.maximum(x, 0)
        x = nn.remat(LinenBlock)(self.dtype, name="block")(x)
        x = x * nn.hard_sigmoid(x.mean(axis=(1, 2), keepdims=True))
        x = nn.silu(nn.Conv(8, (3, 3), strides=2, dtype=self.dtype)(x))
        x = nn.Dropout(0.5, deterministic=not train)(x.mean(axis=(1, 2)))
        x = nn.gelu(nn.Dense(12, dtype=self.dtype)(x))
        return nn.Dense(NUM_CLASSES, dtype=self.dtype)(x)


class NnxCNN(nnx.Module):
    """Two convolutions with BatchNorm, a dense layer with dropout."""

    def __init__(self, *, rngs, dtype=jnp.float32):
        self.conv1 = nnx.Conv(1, 6, (3, 3), dtype=dtype, rngs=rngs)
        self.norm1 = nnx.BatchNorm(6, dtype=dtype, rngs=rngs)
        self.conv2 = nnx.Conv(6, 8, (3, 3), strides=2, dtype=dtype, rngs=rngs)
        self.norm2 = nnx.BatchNorm(8, dtype=dtype, rngs=rngs)
        self.hidden = nnx.Linear(8, 12, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(12, NUM_CLASSES, dtype=dtype, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm1(self.conv1(x)))
        x = nnx.relu(self.norm2(self.conv2(x)))
        x = nnx.relu(self.hidden(x.mean(axis=(1, 2))))
        return self.head(self.dropout(x))


class LinenLayer(nn.Module):
    """Attention and an MLP, the body of a scan."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, _):
        y = nn.LayerNorm(dtype=self.dtype)(x)
        x = x + nn.MultiHeadDotProductAttention(2, dtype=self.dtype)(y)
        y = nn.gelu(nn.Dense(12, dtype=self.dtype)(nn.LayerNorm(dtype=self.dtype)(x)))
        return x + nn.Dense(8, dtype=self.dtype)(y), None


class LinenViT(nn.Module):
    """Six patches and a class token, three layers by a scan: three activations of tokens."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (5, 3), (5, 3), padding="VALID", dtype=self.dtype)(x).reshape(len(x), 6, 8)
        token = self.param("token", nn.initializers.normal(1.0), (1, 1, 8)).astype(x.dtype)
        x = jnp.concatenate([jnp.broadcast_to(token, (len(x), 1, 8)), x], axis=1)
        axes, rngs = {"params": 0}, {"params": True}
        x, _ = nn.scan(LinenLayer, variable_axes=axes, split_rngs=rngs, length=3)(self.dtype)(x, None)
        return nn.Dense(NUM_CLASSES, dtype=self.dtype)(nn.LayerNorm(dtype=self.dtype)(x)[:, 0])


def linen_cnn(dtype="float32"):
    module = LinenCNN(jnp.dtype(dtype))
    return targets.adapt_linen(module, name="linen_cnn", preprocessing=PREPROCESSING, train=False)


def nnx_cnn(dtype="float32"):
    def make(*, rngs):
        return NnxCNN(rngs=rngs, dtype=jnp.dtype(dtype))

    return targets.adapt_nnx(make, name="nnx_cnn", preprocessing=PREPROCESSING)


def foreign_resnet8(dtype="float32"):
    """jaxpath's own module, called without gates; its parameters are those of ``targets.resnet8``."""
    native = targets.resnet8(num_classes=NUM_CLASSES, image_size=8, channels=1, dtype=dtype)
    module = ResNet(
        BasicBlock,
        (1, 1, 1),
        NUM_CLASSES,
        width=16,
        imagenet_stem=False,
        option_a=True,
        head="linear",
        dtype=jnp.dtype(dtype),
    )
    return targets.adapt_function(
        lambda params, images: module.apply(params, images)[0],
        init=native.init,
        name="foreign_resnet8",
        preprocessing=native.preprocessing,
    )


def linen_vit(dtype="float32"):
    return targets.adapt_linen(LinenViT(jnp.dtype(dtype)), name="linen_vit", preprocessing=PREPROCESSING)


def channels_first(dtype="float32"):
    """A function of one image [C, H, W] that ``vmap`` takes to batches, as in Equinox."""

    def forward_one(params, x):
        for kernel, stride in zip(params["kernels"], (1, 2, 1), strict=True):
            x = jax.lax.conv_general_dilated(x[None], kernel.astype(dtype), (stride, stride), "SAME")[0]
            x = jax.nn.relu(x)
        return params["readout"].astype(dtype) @ x.mean((1, 2))

    def forward(params, images):
        images = images.astype(dtype).transpose(0, 3, 1, 2)
        return jax.vmap(forward_one, in_axes=(None, 0))(params, images)

    def init(key):
        *keys, last = jax.random.split(key, 4)
        shapes = (4, 1, 3, 3), (8, 4, 3, 3), (8, 8, 3, 3)
        kernels = [jax.random.normal(key, shape) / 3 for key, shape in zip(keys, shapes, strict=True)]
        return {"kernels": kernels, "readout": jax.random.normal(last, (NUM_CLASSES, 8))}

    return targets.adapt_function(forward, init=init, name="channels_first", preprocessing=PREPROCESSING)


def own_cnn():
    """What ``--target foreign_models:own_cnn`` names: a target and its parameters, which ``init`` returns."""
    target = linen_cnn()
    params = target.init(jax.random.key(3))
    return target._replace(init=lambda key: params), params
