"""The contrastive search against a plain loop, and against the best of all masks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_attribution import IMAGES, LABELS, PARAMS, SITES, TARGET

from jaxpath import explainers
from jaxpath.blanks import blank_pictures
from jaxpath.explainers.contrastive import schedule, straight_through
from jaxpath.fills import References
from jaxpath.pathways import flatten, unflatten
from jaxpath.types import FilledMask, InputError

OTHERS = np.random.default_rng(4).normal(size=(4, 2, 2, 3)).astype(np.float32)
CLASSES = np.array([0, 1, 1, 0])


def make_references() -> References:
    features = {name: np.asarray(f) for name, f in TARGET.apply(PARAMS, OTHERS).features.items()}
    means = {"000.first": np.array([0.3, 0.1, 0.2], np.float32), "001.second": np.full(4, 0.5, np.float32)}
    return References(OTHERS, CLASSES, features, means)


def scores(images=IMAGES, labels=LABELS, **options):
    options = {"density": 0.5, "references": make_references(), **options}
    explain = explainers.make_contrastive(TARGET, **options)
    pathway = jax.jit(explain)(PARAMS, images, labels, key=jax.random.key(0))
    return np.asarray(flatten(pathway.scores, SITES)), np.asarray(flatten(pathway.masks, SITES))


def fill_of(kind, rounds, step, label, given):
    """The fills of one image in one step, by site."""
    strength = (rounds + 1) * 0.6180339887498949 % 1 if kind == "interchange" else 0.0
    others = [row for row, c in enumerate(CLASSES) if c != label]
    filled = {}
    for site in SITES:
        usual = 0.0 if kind == "zero" else given.means[site.name]
        reference = given.features[site.name][others[step % len(others)]]
        filled[site.name] = usual + strength * (reference - usual)
    return filled


def slow_search(image, label, steps, density, ablations):
    given, moments = make_references(), [np.zeros(7), np.zeros(7)]
    others = [row for row, c in enumerate(CLASSES) if c != label]
    blanks = blank_pictures(jnp.asarray(image[None]), jnp.zeros(1, int), TARGET.preprocessing, seed=0)[:, 0]
    signed = explainers.make_taylor_signed(TARGET, density=0.5)
    pathway = signed(PARAMS, image[None], np.array([label]), key=jax.random.key(0))
    values = np.asarray(flatten(pathway.scores, SITES))[0]
    values = (0.1 * values / values.std()).astype(np.float32)
    for step in range(steps):
        kind, rounds = ablations[step % len(ablations)], step // len(ablations)
        opened = density ** min((step + 1) / (0.5 * steps), 1)
        filled = fill_of(kind, rounds, step, label, given)
        picture = OTHERS[others[rounds % len(others)]]
        other = blanks[rounds // 4 % 4] if rounds % 4 == 3 else picture

        def loss(values, opened=opened, filled=filled, other=other):
            masks = unflatten(straight_through(values[None], opened), SITES)
            gates = {name: FilledMask(mask, jnp.asarray(filled[name])) for name, mask in masks.items()}
            own, refused = (
                jax.nn.log_softmax(TARGET.apply(PARAMS, picture[None], gates).logits[0])
                for picture in (image, other)
            )
            return -own[label] - jnp.log(-jnp.expm1(refused[label]))

        gradient = np.asarray(jax.grad(loss)(jnp.asarray(values)))
        moments = [0.9 * moments[0] + 0.1 * gradient, 0.999 * moments[1] + 0.001 * gradient**2]
        first, second = moments[0] / (1 - 0.9 ** (step + 1)), moments[1] / (1 - 0.999 ** (step + 1))
        rate = 0.05 * (1 + np.cos(np.pi * step / steps))
        values = (values - rate * first / (np.sqrt(second) + 1e-8)).astype(np.float32)
    return values


@pytest.mark.parametrize("ablations", [("zero", "mean", "interchange"), ("mean",)])
def test_the_search_agrees_with_a_plain_loop_image_by_image(ablations):
    result, _ = scores(steps=14, ablations=ablations)
    for row, image in enumerate(IMAGES):
        expected = slow_search(image, LABELS[row], 14, 0.5, ablations)
        np.testing.assert_allclose(result[row], expected, rtol=2e-3, atol=2e-3)


def test_without_references_closed_neurons_are_zero_and_others_are_blank():
    plain, _ = scores(steps=5, references=None)
    assert np.isfinite(plain).all() and (plain != scores(steps=5)[0]).any()
    np.testing.assert_array_equal(plain, scores(steps=5, references=None, ablations=("zero",))[0])


def test_references_of_the_images_class_alone_are_not_held_against_it():
    given = make_references()
    same = given._replace(classes=np.zeros(4, int))
    blank = given._replace(classes=np.zeros(4, int), images=np.zeros_like(OTHERS))
    (with_same, _), (with_blank, _) = (scores(steps=9, references=refs) for refs in (same, blank))
    np.testing.assert_array_equal(with_same[0], with_blank[0])  # of class 0
    assert (with_same[1] != with_blank[1]).any()


def objectives(masks, image, label, *, rounds=32):
    """What the search lowers, averaged over many steps, for each of some hard masks [M, N]."""
    given, total = make_references(), np.zeros(len(masks))
    others = [row for row, c in enumerate(CLASSES) if c != label]
    by_site = unflatten(masks, SITES)
    blanks = blank_pictures(jnp.asarray(image[None]), jnp.zeros(1, int), TARGET.preprocessing, seed=0)[:, 0]
    for step in range(3 * rounds):
        kind, number = ("zero", "mean", "interchange")[step % 3], step // 3
        filled = fill_of(kind, number, step, label, given)
        gates = {name: FilledMask(m, jnp.asarray(filled[name])) for name, m in by_site.items()}
        picture = OTHERS[others[number % len(others)]]
        other = blanks[number // 4 % 4] if number % 4 == 3 else picture
        own, refused = (
            np.asarray(apply(PARAMS, np.repeat(p[None], len(masks), axis=0), gates))[:, label]
            for p in (image, other)
        )
        total += -own - np.log(-np.expm1(refused))
    return total / (3 * rounds)


@jax.jit
def apply(params, images, gates):
    return jax.nn.log_softmax(TARGET.apply(params, images, gates).logits)


def test_the_search_comes_close_to_the_best_mask_of_its_density():
    _, masks = scores(steps=300)
    chosen = itertools.combinations(range(7), 4)
    every = np.stack([np.isin(np.arange(7), opened).astype(np.float32) for opened in chosen])
    for row, image in enumerate(IMAGES):
        values = objectives(every, image, LABELS[row])
        (found,) = objectives(masks[row][None], image, LABELS[row])
        assert found - values.min() <= 0.25 * (np.median(values) - values.min()), (found, np.sort(values))


def test_masks_are_cut_exactly_and_their_gradient_is_a_sigmoids():
    values = jnp.asarray(np.random.default_rng(0).normal(size=(3, 9)), jnp.float32)
    masks, pull = jax.vjp(lambda v: straight_through(v, jnp.float32(1 / 3)), values)
    expected = np.argsort(np.argsort(-np.asarray(values), axis=1), axis=1) < 3
    np.testing.assert_allclose(masks, expected, atol=1e-6)
    (gradient,) = pull(jnp.ones_like(masks))
    # The cut moves along: pushing all scores up changes nothing.
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-5)


def test_the_density_falls_geometrically_and_fills_take_turns():
    trials = schedule(12, 0.25, ("zero", "mean", "interchange"))
    np.testing.assert_allclose(trials.density, [0.25 ** min((i + 1) / 6, 1) for i in range(12)], rtol=1e-5)
    np.testing.assert_array_equal(trials.usual, [0, 1, 1] * 4)
    golden = 0.6180339887498949
    strengths = [0 if i % 3 < 2 else (i // 3 + 1) * golden % 1 for i in range(12)]
    np.testing.assert_allclose(trials.strength, strengths, rtol=1e-5)
    np.testing.assert_array_equal(trials.round, np.arange(12) // 3)


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"refusal": -1}, {"ablations": ()}, {"ablations": ("median",)}]
)
def test_options_out_of_their_range_are_refused(options):
    with pytest.raises(InputError, match="zero, mean, interchange"):
        explainers.make_contrastive(TARGET, density=0.5, **options)
