"""The published ResNet-20 on CIFAR-10: its ten outputs are named after their classes."""

import jax
import numpy as np

from jaxpath import data, devices, discover, metrics, targets


def test_the_outputs_of_a_trained_classifier_are_named_rightly(shared_data):
    target = targets.resnet20()
    params = targets.load_weights(target, shared_data / "cifar10" / "resnet20.safetensors")
    source = data.Subset(
        data.open_source(f"npz:{shared_data / 'cifar10' / 'cifar10_lossless.npz'}", split="test"),
        np.arange(300),
    )

    session = metrics.Session(target, params, devices.make_mesh(jax.devices()[:1]), batch_size=100)
    activity = discover.record_activity(session, metrics.source_passes(session, source), sites=())
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(10, 64))
    images = prototypes[activity.labels] + 0.5 * rng.normal(size=(300, 64))
    embeddings = discover.Embeddings(images, prototypes, tuple(map(str, range(10))))
    names = discover.dissect(
        activity, embeddings, similarity=discover.bind("soft_wpmi", key=jax.random.key(0), top_k=25)
    )
    assert names[discover.OUTPUTS].words == tuple(map(str, range(10)))
