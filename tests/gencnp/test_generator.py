import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.gencnp import Generator
from jaxpath.targets.resnet import BasicBlock, ResNet

MODULE = ResNet(BasicBlock, (1, 1), 3, width=8, imagenet_stem=False)
TARGET = targets.from_linen(
    MODULE, name="small", num_classes=3, preprocessing=targets.make_preprocessing((16, 16))
)
IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def clean():
    return jax.jit(TARGET.apply)(TARGET.init(jax.random.key(0)), IMAGES)


def with_feature(clean, site, value):
    """``clean`` as if ``site`` said ``value``."""
    return clean._replace(features={**clean.features, site: value})


def make(clean, **options):
    generator = Generator(TARGET.sites, TARGET.num_classes, width=8, **options)
    return generator, jax.jit(generator.init)(jax.random.key(1), clean)


@jax.jit
def perturbed(params):
    """Parameters without zeros, so that no path through the generator is closed."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def influences(clean, site_in, site_out, **options):
    """Whether the scores of one site depend on the features of another."""
    generator, params = make(clean, modulate=False, **options)
    params = perturbed(params)

    def score(value):
        return generator.apply(params, with_feature(clean, site_in, value)).logits[site_out].sum()

    return bool(jnp.abs(jax.jit(jax.grad(score))(clean.features[site_in])).max() > 0)


FIRST, LAST = TARGET.sites[0].name, TARGET.sites[-1].name


def test_every_site_gets_one_logit_per_channel_and_every_image_class_logits(clean):
    generator, params = make(clean)
    output = jax.jit(generator.apply)(params, clean)
    assert {name: value.shape for name, value in output.logits.items()} == {
        site.name: (2, site.channels) for site in TARGET.sites
    }
    assert output.class_logits.shape == (2, 3)


def test_training_starts_from_the_almost_complete_network(clean):
    generator, params = make(clean, initial_logit=4.0)
    logits = jnp.concatenate(list(jax.jit(generator.apply)(params, clean).logits.values()), axis=1)
    assert float((logits > 0).mean()) > 0.95


def test_unit_scores_have_the_shape_of_the_activations_and_stay_below_the_channel_score(clean):
    generator, params = make(clean, granularity="unit")
    logits = jax.jit(generator.apply)(perturbed(params), clean).logits
    assert {name: value.shape for name, value in logits.items()} == {
        name: value.shape for name, value in clean.features.items()
    }
    channel = Generator(TARGET.sites, TARGET.num_classes, width=8)
    plain = jax.jit(channel.apply)(perturbed(params), clean).logits[FIRST]
    assert bool((logits[FIRST] <= plain[:, None, None, :] + 1e-5).all())


def test_with_recursion_every_site_reads_every_other(clean):
    assert influences(clean, FIRST, LAST)
    assert influences(clean, LAST, FIRST)


def test_without_recursion_or_distillation_a_site_does_not_read_a_deeper_one_but_the_deepest(clean):
    middle = TARGET.sites[3].name
    options = {"recursive": False, "distill": False}
    assert not influences(clean, middle, FIRST, **options)
    assert influences(clean, LAST, FIRST, **options)


def test_a_decoder_that_sees_only_the_embedding_reads_no_shallower_site_without_recursion(clean):
    options = {"recursive": False, "decoder_sees": "embedding"}
    assert not influences(clean, FIRST, LAST, **options)
    assert influences(clean, LAST, LAST, **options)


def test_a_decoder_that_sees_only_the_distillate_reads_its_site_through_the_distillate_alone(clean):
    options = {"recursive": False, "distill": False, "decoder_sees": "distilled"}
    assert not influences(clean, FIRST, FIRST, **options)
    assert influences(clean, LAST, FIRST, **options)


def test_modulation_lets_a_brighter_channel_change_its_own_score_only_by_its_gain(clean):
    options = {"recursive": False, "distill": False, "decoder_sees": "distilled"}
    generator, params = make(clean, modulate=True, **options)
    params = perturbed(params)

    def scores(value):
        return jax.jit(generator.apply)(params, with_feature(clean, FIRST, value)).logits[FIRST]

    brighter = clean.features[FIRST].at[..., 0].mul(3)
    assert not np.allclose(scores(clean.features[FIRST])[:, 0], scores(brighter)[:, 0])


@pytest.mark.parametrize("told", [True, False])
def test_the_scores_follow_the_class_that_is_explained_where_it_is_told(clean, told):
    generator, params = make(clean, class_conditional=told)
    params = perturbed(params)
    apply = jax.jit(generator.apply)
    result = [apply(params, clean._replace(logits=jnp.array(rows))) for rows in LOGITS]
    first, same_class, other_class = ([output.logits[name] for name in output.logits] for output in result)
    for a, b, c in zip(first, same_class, other_class, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.array_equal(a[0], c[0]) and np.array_equal(a[1], c[1]) == (not told)
    # What the distillation network guesses, it guesses from the features.
    np.testing.assert_array_equal(result[0].class_logits, result[2].class_logits)


LOGITS = ([[0, 1, 2], [3.0, 0, 0]], [[-9, 1, 7], [1.0, 0, 0]], [[0, 1, 2], [0.0, 3, 0]])
"""Of two images: the second rows agree with the first ones in their classes, the third ones in one."""


def test_a_batch_equals_its_images_one_by_one(clean):
    generator, params = make(clean)
    params = perturbed(params)
    together = jax.jit(generator.apply)(params, clean).logits
    for index in range(2):
        alone = jax.tree.map(lambda leaf, i=index: leaf[i : i + 1], clean)
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
    clean = jax.eval_shape(target.apply, params, images)
    generator = Generator(target.sites, target.num_classes)
    generator_params = jax.eval_shape(generator.init, jax.random.key(0), clean)
    assert flops(generator.apply, generator_params, clean) < 0.15 * flops(target.apply, params, images)
