"""Frozen parameters, rounded once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxpath import targets

NETS = {
    "resnet8": {"image_size": 8},
    "vgg11": {"image_size": 32, "hidden": 8, "pool_size": 1, "num_classes": 3},
    "mobilenet_v2": {"image_size": 32, "num_classes": 3},
}


@pytest.mark.parametrize("name", NETS)
def test_what_a_bfloat16_target_rounds_at_every_use_is_rounded_once_and_its_logits_stay(name):
    target = targets.make_target(name, dtype="bfloat16", **NETS[name])
    params = target.init(jax.random.key(0))
    cast = targets.cast_frozen(target, params)
    before, after = flatten_dict(params), flatten_dict(cast)
    assert before.keys() == after.keys()
    *_, head = (path for path in before if path[-1] == "kernel" and before[path].ndim == 2)
    for path, array in after.items():
        # Normalisations, biases and the classifier compute in float32.
        rounded = path[-1] == "kernel" and path != head
        assert array.dtype == (jnp.bfloat16 if rounded else jnp.float32), path
    images = np.random.default_rng(0).integers(0, 256, (2, *target.preprocessing.shape), dtype=np.uint8)
    apply = jax.jit(target.apply)
    np.testing.assert_array_equal(apply(cast, images).logits, apply(params, images).logits)


def test_a_float32_target_keeps_its_parameters():
    target = targets.make_target("resnet8", image_size=8)
    params = jax.eval_shape(target.init, jax.random.key(0))
    assert targets.cast_frozen(target, params) == params
