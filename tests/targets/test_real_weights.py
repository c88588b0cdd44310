"""Published weights do on real images what PyTorch does with them."""

import jax
import numpy as np
import pytest

from jaxpath import targets
from jaxpath.types import InputError


def test_resnet18_reproduces_pytorchs_logits_on_photographs(shared_data):
    target = targets.resnet18()
    params = targets.load_weights(target, shared_data / "imagenet" / "resnet18.safetensors")
    crops = np.load(shared_data / "imagenet" / "resnet18_logits_first16.npz")
    logits = jax.jit(target.apply)(params, crops["images"]).logits
    np.testing.assert_allclose(logits, crops["logits"], rtol=0, atol=2e-3)


def test_resnet20_has_its_accuracy_on_the_test_images(shared_data):
    target = targets.resnet20()
    params = targets.load_weights(target, shared_data / "cifar10" / "resnet20.safetensors")
    images = np.load(shared_data / "cifar10" / "cifar10_lossless.npz")
    logits = jax.jit(target.apply)(params, images["test_images"]).logits
    # PyTorch's figure for this file and these images.
    assert (logits.argmax(axis=1) == images["test_labels"]).mean() == 0.915


def test_weights_of_another_published_architecture_are_recognised(shared_data):
    with pytest.raises(InputError, match="look like the weights of resnet18"):
        targets.load_weights(targets.resnet20(), shared_data / "imagenet" / "resnet18.safetensors")
