"""What a MobileNetV2 has and the others have not: depthwise convolutions, ReLU6, narrow ends."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxpath import attributions, explainers, targets
from jaxpath.attributions import EPSILON
from jaxpath.metrics.sanity import stage_of_parameters
from jaxpath.targets.jaxpr_runner import evaluate
from jaxpath.targets.mobilenet import MobileNetV2
from jaxpath.targets.recognition import recognise
from jaxpath.targets.torch_names import parameter_slots


@cache
def make_small():
    """Four blocks; without norms' shifts it has no biases but the classifier's, which are 0."""
    module = MobileNetV2(3, ((1, 4, 1, 1), (3, 6, 3, 2)), stem=4, head=12)
    preprocessing = targets.make_preprocessing((14, 10))
    target = targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)
    return target, target.init(jax.random.key(0))


def make_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 14, 10, 3), dtype=np.uint8)


@pytest.mark.parametrize(("size", "last"), [(None, (7, 7)), (32, (1, 1)), ((28, 100), (1, 4)), (1, (1, 1))])
def test_strides_are_those_for_224_pixels_whatever_the_size(size, last):
    sites = targets.mobilenet_v2(image_size=size, channels=1).sites
    assert sites[-1].spatial == last
    assert [site.channels for site in sites[:4]] == [32, 32, 96, 96]


def test_it_has_as_many_parameters_as_published():
    shapes = jax.eval_shape(targets.mobilenet_v2().init, jax.random.key(0))["params"]
    # torchvision's table of models; 3.4 million in the paper.
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 3_504_872


def test_other_widths_are_not_taken_for_it():
    shapes = {slot.key: slot.torch_shape for slot in parameter_slots(targets.mobilenet_v2())}
    narrow = {**shapes, "features.18.0.weight": (1280, 240, 1, 1)}
    assert recognise(narrow) is None
    blocks = {key.replace(".conv.", ".block."): shape for key, shape in shapes.items()}
    assert recognise(blocks) is None


def test_saved_weights_load_bit_for_bit_and_tell_what_they_are(tmp_path):
    target = targets.mobilenet_v2(num_classes=3)
    shapes = jax.eval_shape(target.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.uniform(0.1, 1, leaf.shape).astype(np.float32), shapes)
    targets.save_weights(target, params, tmp_path / "weights.safetensors")
    loaded = targets.load_weights(target, tmp_path / "weights.safetensors")
    jax.tree.map(np.testing.assert_array_equal, loaded, params)
    wrapped = {
        f"module.{slot.key}": np.zeros(slot.torch_shape, np.float32) for slot in parameter_slots(target)
    }
    wrapped["module.features.0.1.num_batches_tracked"] = np.array(3)
    save_file(wrapped, tmp_path / "wrapped.safetensors")
    assert targets.describe_weights(tmp_path / "wrapped.safetensors")[:3] == ("mobilenet_v2", 3, 3)
    targets.load_weights(target, tmp_path / "wrapped.safetensors")


def test_the_dropout_before_the_classifier_follows_the_key():
    target, params = make_small()
    train = jax.jit(target.train_apply)

    def logits(seed):
        return train(params, make_images(), key=jax.random.key(seed))[0].logits

    np.testing.assert_array_equal(logits(1), logits(1))
    assert np.any(logits(1) != logits(2))


def test_every_site_is_a_relu6_that_attributions_see():
    target, params = make_small()
    pixels = jnp.zeros((1, 14, 10, 3))
    places = []

    def visit(place, activation):
        places.append(place)
        return activation

    traced = jax.make_jaxpr(lambda x: target.apply(params, x).logits)(pixels)
    evaluate(traced, [pixels], names=targets.ACTIVATIONS, visit=visit)
    assert [place.rpartition("/")[2] for place in places] == ["relu6"] * len(target.sites)


def test_relevance_is_conserved_through_relu6_and_depthwise_convolutions():
    target, params = make_small()
    labels = jnp.array([0, 2])
    run = attributions.make_lrp(target, rules=EPSILON)
    maps = run(params, make_images(), labels, key=jax.random.key(0))
    logits = target.apply(params, make_images()).logits
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits[jnp.arange(2), labels], rtol=1e-2)


@pytest.mark.parametrize("name", attributions.names())
def test_every_attribution_says_something_of_its_pixels(name):
    target, params = make_small()
    options = {"integrated_gradients": {"steps": 2}, "smoothgrad": {"samples": 2}}.get(name, {})
    run = jax.jit(attributions.make_attribution(name, target, **options))
    maps = np.asarray(run(params, make_images(), jnp.array([0, 2]), key=jax.random.key(0)))
    assert maps.shape == (2, 14, 10) and np.isfinite(maps).all() and np.ptp(maps) > 0


@pytest.mark.parametrize("name", explainers.names())
def test_every_explainer_finds_a_pathway_of_its_density(name):
    target, params = make_small()
    run = jax.jit(explainers.make_explainer(name, target, density=0.25))
    pathway = run(params, make_images(), jnp.array([0, 2]), key=jax.random.key(0))
    masks = np.concatenate([np.asarray(pathway.masks[site.name]) for site in target.sites], axis=1)
    assert (masks.sum(axis=1) == round(0.25 * masks.shape[1])).all()


def test_its_layers_are_randomised_in_forward_order():
    target, params = make_small()
    stages = stage_of_parameters(target, params, make_images()[:1])
    leaves = jax.tree_util.tree_leaves_with_path(params)
    paths = [".".join(key.key for key in path) for path, _ in leaves]
    by_path = dict(zip(paths, stages, strict=True))
    assert by_path["params.features_0_0.kernel"] == "000.features.0.2"
    assert by_path["params.features_1.conv_0_0.kernel"] == "001.features.1.conv.0.2"
    # A narrow end has no site of its own: it reaches the next block's.
    assert by_path["params.features_1.conv_1.kernel"] == "002.features.2.conv.0.2"
    assert by_path["params.features_2.conv_1_0.kernel"] == "003.features.2.conv.1.2"
    assert by_path["params.classifier_1.kernel"] == "logits"
