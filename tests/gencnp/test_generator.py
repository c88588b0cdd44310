from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.gencnp import Generator, Slopes, read, with_means
from jaxpath.targets.resnet import BasicBlock, ResNet
from jaxpath.types import InputError

MODULE = ResNet(BasicBlock, (1, 1), 3, width=8, imagenet_stem=False)
TARGET = targets.from_linen(
    MODULE, name="small", num_classes=3, preprocessing=targets.make_preprocessing((16, 16))
)
IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def reading():
    return jax.jit(partial(read, TARGET))(TARGET.init(jax.random.key(0)), IMAGES)[1]


def with_feature(reading, site, value):
    """``reading`` as if ``site`` said ``value``."""
    return reading._replace(features={**reading.features, site: value})


def make(reading, **options):
    generator = Generator(TARGET.sites, TARGET.num_classes, width=8, **options)
    return generator, jax.jit(generator.init)(jax.random.key(1), reading)


@jax.jit
def perturbed(params):
    """Parameters without zeros, so that no path through the generator is closed."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def influences(reading, site_in, site_out, **options):
    """Whether the scores of one site depend on the features of another."""
    generator, params = make(reading, modulate=False, **options)
    params = perturbed(params)

    def score(value):
        return generator.apply(params, with_feature(reading, site_in, value)).logits[site_out].sum()

    return bool(jnp.abs(jax.jit(jax.grad(score))(reading.features[site_in])).max() > 0)


FIRST, LAST = TARGET.sites[0].name, TARGET.sites[-1].name


def test_every_site_gets_one_logit_per_channel_and_every_image_class_logits(reading):
    generator, params = make(reading)
    output = jax.jit(generator.apply)(params, reading)
    assert {name: value.shape for name, value in output.logits.items()} == {
        site.name: (2, site.channels) for site in TARGET.sites
    }
    assert output.class_logits.shape == (2, 3)


def test_training_starts_from_the_almost_complete_network(reading):
    generator, params = make(reading, initial_logit=4.0)
    logits = jnp.concatenate(list(jax.jit(generator.apply)(params, reading).logits.values()), axis=1)
    assert float((logits > 0).mean()) > 0.95


def test_unit_scores_have_the_shape_of_the_activations_and_stay_below_the_channel_score(reading):
    # Told no class, both kinds have the same parameters but for the places.
    generator, params = make(reading, granularity="unit", class_conditional=False)
    logits = jax.jit(generator.apply)(perturbed(params), reading).logits
    assert {name: value.shape for name, value in logits.items()} == {
        name: value.shape for name, value in reading.features.items()
    }
    channel = Generator(TARGET.sites, TARGET.num_classes, width=8, class_conditional=False)
    plain = jax.jit(channel.apply)(perturbed(params), reading).logits[FIRST]
    assert bool((logits[FIRST] <= plain[:, None, None, :] + 1e-5).all())


def test_with_recursion_every_site_reads_every_other(reading):
    assert influences(reading, FIRST, LAST)
    assert influences(reading, LAST, FIRST)


def test_without_recursion_or_distillation_a_site_does_not_read_a_deeper_one_but_the_deepest(reading):
    middle = TARGET.sites[3].name
    options = {"recursive": False, "distill": False}
    assert not influences(reading, middle, FIRST, **options)
    assert influences(reading, LAST, FIRST, **options)


def test_a_decoder_that_sees_only_the_embedding_reads_no_shallower_site_without_recursion(reading):
    options = {"recursive": False, "decoder_sees": "embedding"}
    assert not influences(reading, FIRST, LAST, **options)
    assert influences(reading, LAST, LAST, **options)


def test_a_decoder_that_sees_only_the_distillate_reads_its_site_through_the_distillate_alone(reading):
    options = {"recursive": False, "distill": False, "decoder_sees": "distilled"}
    assert not influences(reading, FIRST, FIRST, **options)
    assert influences(reading, LAST, FIRST, **options)


def test_modulation_lets_a_brighter_channel_change_its_own_score_only_by_its_gain(reading):
    options = {"recursive": False, "distill": False, "decoder_sees": "distilled"}
    generator, params = make(reading, modulate=True, **options)
    params = perturbed(params)

    def scores(value):
        return jax.jit(generator.apply)(params, with_feature(reading, FIRST, value)).logits[FIRST]

    brighter = reading.features[FIRST].at[..., 0].mul(3)
    assert not np.allclose(scores(reading.features[FIRST])[:, 0], scores(brighter)[:, 0])


@pytest.mark.parametrize("told", [True, False])
def test_the_scores_follow_the_evidence_for_the_class_where_it_is_told(reading, told):
    generator, params = make(reading, class_conditional=told)
    params = perturbed(params)
    apply = jax.jit(generator.apply)
    # Of two images: twice as much of the same, and another class for the second image.
    evidence = np.random.default_rng(4).normal(size=(3, *reading.evidence.shape)).astype(np.float32)
    evidence[1] = 2 * evidence[0]
    evidence[2, 0] = evidence[0, 0]
    result = [apply(params, reading._replace(evidence=rows)) for rows in evidence]
    first, same_class, other_class = ([output.logits[name] for name in output.logits] for output in result)
    for a, b, c in zip(first, same_class, other_class, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        assert np.allclose(a[0], c[0], rtol=1e-5)
        assert np.allclose(a[1], c[1], rtol=1e-2) == (not told)
    # What the distillation network guesses, it guesses from the features.
    np.testing.assert_array_equal(result[0].class_logits, result[2].class_logits)


@pytest.mark.parametrize("granularity", ["channel", "unit"])
def test_taylor_scores_are_added_in_standard_deviations_with_their_gains(reading, granularity):
    count = sum(site.channels for site in TARGET.sites)
    rng = np.random.default_rng(5)
    product, gradient = rng.normal(size=(2, 2, count)).astype(np.float32) ** 3
    means = rng.random(count).astype(np.float32)
    told = reading._replace(slopes=Slopes(jnp.asarray(product), jnp.asarray(gradient)))
    generator, params = make(told, taylor=True, granularity=granularity)
    starts = np.cumsum([site.channels for site in TARGET.sites])[:-1]
    by_site = {site.name: part for site, part in zip(TARGET.sites, np.split(means, starts), strict=True)}
    params = with_means(params, dict(reversed(by_site.items())), TARGET.sites)
    gains, sizes = rng.normal(size=(2, 2, 1, count)).astype(np.float32)
    learned = {**params["params"], "taylor_gain": gains, "taylor_size_gain": sizes}
    result = jax.jit(generator.apply)({"params": learned}, told)

    without = Generator(TARGET.sites, TARGET.num_classes, width=8, granularity=granularity)
    plain = jax.jit(without.apply)({"params": learned}, reading)
    expected = 0
    for scores, gain, size in zip((product, product - means * gradient), gains, sizes, strict=True):
        relative = np.clip(scores / scores.std(axis=1, keepdims=True), -4, 4)
        expected = expected + gain * relative + size * np.abs(relative)
    for site, part in zip(TARGET.sites, np.split(expected, starts, axis=1), strict=True):
        added = np.asarray(result.logits[site.name] - plain.logits[site.name])
        part = part.reshape(2, *(1,) * (added.ndim - 2), -1)
        np.testing.assert_allclose(added, np.broadcast_to(part, added.shape), rtol=1e-4, atol=1e-4)


def test_taylor_scores_need_slopes(reading):
    with pytest.raises(InputError, match="slopes=True"):
        make(reading, taylor=True)


def test_a_batch_equals_its_images_one_by_one(reading):
    generator, params = make(reading)
    params = perturbed(params)
    together = jax.jit(generator.apply)(params, reading).logits
    for index in range(2):
        alone = jax.tree.map(lambda leaf, i=index: leaf[i : i + 1], reading)
        alone = jax.jit(generator.apply)(params, alone).logits
        for name in together:
            np.testing.assert_allclose(together[name][index], alone[name][0], rtol=1e-4, atol=1e-5)


def test_the_generator_costs_at_most_15_percent_of_the_targets_forward():
    def flops(function, *args):
        # Convolutions count as defined, not by the fewer products in which a CPU does some of them.
        with compiling.traced_for("gpu"):
            return jax.jit(function).lower(*args).cost_analysis()["flops"]

    target = targets.resnet20()
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    params = jax.eval_shape(target.init, jax.random.key(0))
    generator = Generator(target.sites, target.num_classes)

    def explained(params, images, generator_params):
        clean, reading = read(target, params, images)
        return clean.logits, generator.apply(generator_params, reading)

    _, reading = jax.eval_shape(partial(read, target), params, images)
    generator_params = jax.eval_shape(generator.init, jax.random.key(0), reading)
    plain = flops(target.apply, params, images)
    assert flops(explained, params, images, generator_params) < 1.15 * plain
