"""Small classifiers as somebody else writes them: a convolution for each activation, a readout."""

import jax
import numpy as np

from jaxpath import Preprocessing, targets

PREPROCESSING = Preprocessing(None, (16, 16), (0.5,) * 3, (0.25,) * 3)
IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
WIDTH, NUM_CLASSES = 8, 10


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def make_init(num_layers):
    def init(key):
        keys = jax.random.split(key, num_layers + 1)
        widths = [3] + [WIDTH] * num_layers
        kernels = [
            jax.random.normal(k, (3, 3, width, WIDTH)) * (2 / (9 * width)) ** 0.5
            for k, width in zip(keys[:-1], widths[:-1], strict=True)
        ]
        return {"kernels": kernels, "head": jax.random.normal(keys[-1], (WIDTH, NUM_CLASSES))}

    return init


def make_forward(*activations, head=lambda logits: logits, before=lambda x: x):
    def forward(params, x):
        x = before(x)
        for kernel, activation in zip(params["kernels"], activations, strict=True):
            x = activation(convolve(x, kernel))
        return head(x.mean((1, 2)) @ params["head"])

    return forward


def adapt(*activations, head=lambda logits: logits, before=lambda x: x, **options):
    forward = make_forward(*activations, head=head, before=before)
    options.setdefault("init", make_init(len(activations)))
    return targets.adapt_function(forward, name="net", preprocessing=PREPROCESSING, **options)


def names_of(target):
    return [site.name for site in target.sites]
