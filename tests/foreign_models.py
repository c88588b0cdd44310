"""Classifiers as users write them, without a thought of gates, and what the adapters make of them."""

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
