"""Attention plugged into the pretrained ImageNet ResNet-18 changes its logits by less than one percent."""

import jax
import numpy as np

from jaxpath import lap, targets


def test_a_pretrained_resnet18_stays_what_it_was(shared_data):
    folder = shared_data / "imagenet"
    plain = targets.resnet18()
    params = targets.load_weights(plain, folder / "resnet18.safetensors")
    images = np.load(folder / "resnet18_logits_first16.npz")["images"][:4]
    target = lap.extend(targets.resnet18)
    assert lap.places(targets.resnet18)[-3:] == ("layer3", "layer4", "avgpool")
    extended = lap.keep_weights(target, params, key=jax.random.key(0))

    @jax.jit
    def both(params, extended, images):
        return plain.apply(params, images).logits, target.apply(extended, images)

    before, output = both(params, extended, images)
    change = np.linalg.norm(output.logits - before, axis=1) / np.linalg.norm(before, axis=1)
    assert 0 < change.max() < 0.01
    np.testing.assert_array_equal(output.logits.argmax(axis=1), before.argmax(axis=1))
    shapes = [scores.shape[1:] for scores in lap.read(output).scores.values()]
    assert shapes == [(28, 28, 1), (14, 14, 1), (7, 7, 1000)]
