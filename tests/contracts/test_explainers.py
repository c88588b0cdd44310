"""What every explainer promises, one suite over all of them; a new one enters EXPLAINERS."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from integrated_gates import make_integrated_gates

from jaxpath import explainers, gencnp, targets
from jaxpath.pathways import flatten
from jaxpath.targets.resnet import BasicBlock, ResNet
from jaxpath.types import InputError

BATCH = 3
NUM_CLASSES = 3


@cache
def make_target():
    """A ResNet of two narrow blocks with some channels that are dead for every image."""
    module = ResNet(BasicBlock, (1,), NUM_CLASSES, width=8, imagenet_stem=False)
    preprocessing = targets.make_preprocessing((8, 6))
    target = targets.from_linen(module, name="tiny", num_classes=NUM_CLASSES, preprocessing=preprocessing)
    params = target.init(jax.random.key(0))
    params["params"]["bn1"]["bias"] = params["params"]["bn1"]["bias"].at[:2].set(-100.0)
    return target, params


@cache
def reading():
    """What a generator reads of the images."""
    target, params = make_target()
    return jax.jit(partial(gencnp.read, target))(params, make_images())[1]


def make_gencnp(target, *, density, granularity):
    generator = gencnp.Generator(target.sites, NUM_CLASSES, width=8, grid=2, granularity=granularity)
    weights = jax.jit(generator.init)(jax.random.key(1), reading())
    return gencnp.make_gencnp(target, generator, weights, density=density)


def make_refined(target, *, density, granularity):
    start = make_gencnp(target, density=density, granularity=granularity)
    return explainers.make_refined(target, start, density=density, granularity=granularity, steps=3)


EXPLAINERS = {name: partial(explainers.make_explainer, name) for name in explainers.names()}
EXPLAINERS |= {"gencnp": make_gencnp, "refined": make_refined, "integrated_gates": make_integrated_gates}
GRANULARITIES = ("channel", "unit")
each_explainer = pytest.mark.parametrize("name", EXPLAINERS)
each_granularity = pytest.mark.parametrize("granularity", GRANULARITIES)


def make_images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (BATCH, 8, 6, 3), dtype=np.uint8)


@cache
def compiled(name: str, granularity: str, density: float = 0.5):
    target, _ = make_target()
    return jax.jit(EXPLAINERS[name](target, density=density, granularity=granularity))


def explain(name, granularity="channel", *, density=0.5, images=None, labels=(0, 1, 2), seed=0):
    images = make_images() if images is None else images
    run = compiled(name, granularity, density)
    return run(make_target()[1], images, jnp.asarray(labels), key=jax.random.key(seed))


@each_explainer
@each_granularity
def test_scores_and_masks_have_the_shapes_of_their_granularity(name, granularity):
    target, _ = make_target()
    features = reading().features
    pathway = explain(name, granularity)
    for site in target.sites:
        shape = features[site.name].shape if granularity == "unit" else (BATCH, site.channels)
        assert pathway.scores[site.name].shape == pathway.masks[site.name].shape == shape
        assert np.isfinite(pathway.scores[site.name]).all()
        assert set(np.unique(pathway.masks[site.name])) <= {0.0, 1.0}


@each_explainer
@each_granularity
def test_the_obtained_density_is_the_requested_one_exactly_also_with_dead_neurons(name, granularity):
    target, _ = make_target()
    masks = np.asarray(flatten(explain(name, granularity).masks, target.sites))
    np.testing.assert_array_equal(masks.sum(axis=1), round(0.5 * masks.shape[1]))


@each_explainer
@each_granularity
def test_open_neurons_score_at_least_as_high_as_closed_ones(name, granularity):
    target, _ = make_target()
    pathway = explain(name, granularity)
    scores = np.asarray(flatten(pathway.scores, target.sites))
    masks = np.asarray(flatten(pathway.masks, target.sites))
    lowest_open = np.where(masks > 0, scores, np.inf).min(axis=1)
    highest_closed = np.where(masks > 0, -np.inf, scores).max(axis=1)
    assert (lowest_open >= highest_closed).all()


@each_explainer
def test_a_batch_gives_what_its_images_give_alone(name):
    if name == "random":
        pytest.skip("its scores do not depend on the images")
    target, _ = make_target()
    together = flatten(explain(name).scores, target.sites)
    for index in range(BATCH):
        # In a batch of copies, which takes no other program.
        images = np.repeat(make_images()[index : index + 1], BATCH, axis=0)
        alone = flatten(explain(name, images=images, labels=[index] * BATCH).scores, target.sites)
        np.testing.assert_allclose(alone[0], together[index], rtol=2e-3, atol=1e-5)


@each_explainer
def test_only_random_scores_change_with_the_key(name):
    target, _ = make_target()
    first, second = (flatten(explain(name, seed=seed).scores, target.sites) for seed in (0, 1))
    assert np.any(first != second) == (name == "random")


@pytest.mark.parametrize(
    "name", ["taylor", "taylor_signed", "integrated_gradients", "integrated_gates", "greedy"]
)
def test_the_class_to_explain_matters_and_class_0_is_one_like_any_other(name):
    target, _ = make_target()
    zero, one, two = (flatten(explain(name, labels=[c] * BATCH).scores, target.sites) for c in range(3))
    assert np.any(zero != one) and np.any(zero != two) and np.any(one != two)
    mixed = flatten(explain(name, labels=[0, 1, 2]).scores, target.sites)
    np.testing.assert_allclose(mixed[0], zero[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mixed[1], one[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["taylor", "integrated_gradients", "greedy", "activation"])
def test_dead_channels_have_the_lowest_scores(name):
    target, _ = make_target()
    features = reading().features
    dead = np.concatenate([np.asarray(features[s.name]).max(axis=(1, 2)) <= 0 for s in target.sites], axis=1)
    scores = np.asarray(flatten(explain(name).scores, target.sites))
    assert dead[:, :2].all()
    for row in range(BATCH):
        alive = scores[row][~dead[row]]
        assert scores[row][dead[row]].max() <= np.sort(alive)[0] + 1e-6 or name == "greedy"
        # Greedy removal goes in rounds: all that are dead go before the first half of the living.
        assert (scores[row][dead[row]] < np.median(alive)).all()


def test_an_unknown_name_a_density_and_a_granularity_that_are_none():
    target, _ = make_target()
    with pytest.raises(InputError, match="tailor") as error:
        explainers.make_explainer("tailor", target, density=0.5)
    assert all(name in str(error.value) for name in explainers.names())
    with pytest.raises(InputError, match=r"density is 1\.5"):
        explainers.make_taylor(target, density=1.5)
    with pytest.raises(InputError, match="'channel' or 'unit'"):
        explainers.make_taylor(target, density=0.5, granularity="layer")
