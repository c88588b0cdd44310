"""Published weights do on real images what PyTorch does with them."""

import jax
import numpy as np
import pytest

from jaxpath import data, targets
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


@pytest.mark.slow
def test_resnet18_has_its_accuracy_on_photographs_read_and_cropped_here(shared_data):
    folder = shared_data / "imagenet"
    target = targets.resnet18()
    params = targets.load_weights(target, folder / "resnet18.safetensors")
    batches = data.eval_batches(
        data.open_source(f"folder:{folder / 'images'}"), batch_size=20, preprocessing=target.preprocessing
    )
    predict = jax.jit(lambda params, images: target.apply(params, images).logits.argmax(axis=-1))
    correct = [np.asarray(predict(params, batch["image"])) == batch["label"] for batch in batches]
    assert sum(map(len, correct)) == 500
    # PyTorch's figure for these weights on the same photographs, cropped by PIL as torchvision does.
    assert np.mean(np.concatenate(correct)) == pytest.approx(0.756, abs=0.01)
