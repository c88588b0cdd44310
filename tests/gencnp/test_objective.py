from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.ad_checkpoint import print_saved_residuals
from planted import planted_images, planted_target, truth

from jaxpath import targets
from jaxpath.devices import make_mesh, replicate, shard_batch
from jaxpath.gencnp import (
    Budget,
    Faithfulness,
    FixedWeight,
    Generator,
    ObjectiveOptions,
    init_sparsity,
    make_gencnp,
    make_objective,
    read,
)
from jaxpath.gencnp.objective import rematerialized
from jaxpath.pathways import flatten, iou, threshold_for, unflatten
from jaxpath.training import create_state, make_train_step
from jaxpath.types import FilledMask, InputError

TARGET = planted_target()
FROZEN = TARGET.init(jax.random.key(0))
APPLY = jax.jit(TARGET.apply)


def make_generator(**options):
    generator = Generator(TARGET.sites, TARGET.num_classes, width=32, **options)
    images, _ = planted_images(np.random.default_rng(0), 2)
    _, reading = read(TARGET, FROZEN, images, slopes=generator.taylor)
    return generator, jax.jit(generator.init)(jax.random.key(1), reading)


@partial(jax.jit, static_argnums=0)
def masks_of(generator, params, images, labels, density=None):
    """The masks of its explainer; one program for all densities."""
    explain = make_gencnp(TARGET, generator, params, density=density)
    return explain(FROZEN, images, labels, key=jax.random.key(0)).masks


def train(generator, params, options, *, steps, devices=1, batch_size=32, learning_rate=1e-3):
    mesh = make_mesh(jax.devices()[:devices])
    optimizer = optax.adam(learning_rate)
    step = make_train_step(make_objective(TARGET, generator, options), optimizer, mesh)
    state = replicate(
        create_state(params, optimizer, key=jax.random.key(7), extra=init_sparsity(options)), mesh
    )
    frozen = replicate(FROZEN, mesh)
    rng = np.random.default_rng(3)
    history = []
    for _ in range(steps):
        images, labels = planted_images(rng, batch_size)
        state, metrics = step(state, frozen, shard_batch({"image": images, "label": labels}, mesh))
        history.append({name: float(value) for name, value in jax.block_until_ready(metrics).items()})
    return jax.device_get(state), history


@pytest.mark.parametrize("quantizer", ["daq", "straight_through"])
def test_the_generator_recovers_the_planted_pathways_and_closes_the_rest(quantizer):
    options = ObjectiveOptions(Faithfulness(0.01), quantizer=quantizer)
    generator, params = make_generator()
    state, _ = train(generator, params, options, steps=400)
    images, labels = planted_images(np.random.default_rng(11), 64)
    masks = flatten(masks_of(generator, state.params, images, labels), TARGET.sites)
    overlap = iou(masks, jnp.asarray(truth(labels)))
    assert float(overlap.mean()) >= 0.9
    assert float(jnp.where(truth(labels) == 0, masks, 0).mean()) < 0.02


def test_the_gradient_reaches_every_parameter_of_the_generator():
    options = ObjectiveOptions(FixedWeight(), leakage_weight=0.5)
    generator, params = make_generator(initial_logit=0.0)
    # Gains start at zero, which closes no path to them but closes the ones behind them.
    params = jax.tree.map(lambda leaf: leaf + 0.02, params)
    images, labels = map(jnp.asarray, planted_images(np.random.default_rng(0), 8))
    objective = make_objective(TARGET, generator, options)
    keys = jax.random.split(jax.random.key(0), 8)

    def loss(params):
        return objective(params, init_sparsity(options), FROZEN, {"image": images, "label": labels}, keys)[
            0
        ].mean()

    for path, gradient in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert float(jnp.abs(gradient).max()) > 0, jax.tree_util.keystr(path)


def test_eight_devices_train_the_same_parameters_as_one():
    options = ObjectiveOptions(leakage_weight=0.3)
    generator, params = make_generator()
    one, _ = train(generator, params, options, steps=5)
    eight, _ = train(generator, params, options, steps=5, devices=8)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(eight.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(one.extra.weight, eight.extra.weight, rtol=1e-5)


def test_the_dual_variable_rises_while_the_pathway_is_more_faithful_than_asked_and_falls_otherwise():
    generator, params = make_generator(initial_logit=-2.0)
    weights = []
    for nats in (50.0, 1e-6):
        options = ObjectiveOptions(Faithfulness(nats, random_density_share=0.0))
        _, history = train(generator, params, options, steps=4)
        weights.append([metrics["sparsity_weight"] for metrics in history])
    assert weights[0] == sorted(weights[0]) and weights[0][-1] > weights[0][0]
    assert weights[1] == sorted(weights[1], reverse=True) and weights[1][-1] < weights[1][0]


def test_a_fixed_sparsity_weight_warms_up_from_zero_and_stays():
    options = ObjectiveOptions(FixedWeight(0.6, warmup_steps=3))
    generator, params = make_generator()
    _, history = train(generator, params, options, steps=6)
    assert [metrics["sparsity_weight"] for metrics in history] == pytest.approx([0, 0.2, 0.4, 0.6, 0.6, 0.6])


def test_only_images_that_are_cut_at_their_own_density_pay_for_openness():
    options = ObjectiveOptions(FixedWeight(), class_weight=0.0)
    generator, params = make_generator(initial_logit=0.0)
    images, labels = map(jnp.asarray, planted_images(np.random.default_rng(0), 8))
    objective = jax.jit(make_objective(TARGET, generator, options))

    def run(weight):
        extra = init_sparsity(options)._replace(weight=jnp.float32(weight))
        keys = jax.random.split(jax.random.key(0), 8)
        losses, (_, metrics) = objective(params, extra, FROZEN, {"image": images, "label": labels}, keys)
        return np.asarray(losses), metrics["density"]

    (free, density), (priced, _) = run(0.0), run(2.0)
    assert 0 < density.count < 8
    assert (priced > free).sum() == density.count
    assert (priced - free).sum() == pytest.approx(2 * float(density.total), rel=1e-5)


def test_the_leakage_term_compares_each_image_with_its_neighbour_of_another_class():
    options = ObjectiveOptions(Faithfulness(random_density_share=0.0), leakage_weight=1.0)
    generator, params = make_generator()
    params = jax.tree.map(lambda leaf: leaf, params)
    neighbours = np.array([0, 1, 2, 2, 1, 0, 0, 2], np.int32)
    images, labels = planted_images(np.random.default_rng(5), 8, neighbours)
    objective = make_objective(TARGET, generator, options)
    mesh = make_mesh(jax.devices()[:1])
    step = make_train_step(objective, optax.sgd(0.0), mesh)
    state = create_state(params, optax.sgd(0.0), key=jax.random.key(0), extra=init_sparsity(options))
    _, metrics = step(state, FROZEN, shard_batch({"image": images, "label": labels}, mesh))

    # The same by hand: every image's mask on its neighbour, log-probabilities in NumPy.
    masks = masks_of(generator, params, images, labels)
    gains = []
    for i in range(8):
        j = i + 1 if i % 2 == 0 else i - 1
        if labels[i] == labels[j]:
            continue
        gate = {name: mask[i : i + 1] for name, mask in masks.items()}
        clean = np.asarray(APPLY(FROZEN, images[j : j + 1]).logits[0], np.float64)
        masked = np.asarray(APPLY(FROZEN, images[j : j + 1], gate).logits[0], np.float64)
        log_p = [z[labels[i]] - np.log(np.exp(z).sum()) for z in (masked, clean)]
        gains.append(max(0.0, log_p[0] - log_p[1]))
    assert len(gains) == 6
    assert float(metrics["leakage_loss"]) == pytest.approx(np.mean(gains), rel=1e-4, abs=1e-6)


def test_a_budget_falls_from_everything_and_every_mask_stays_a_little_below_it():
    options = ObjectiveOptions(Budget(0.4, steps=3), leakage_weight=1.0)
    generator, params = make_generator()
    state, history = train(generator, params, options, steps=6)
    assert float(state.extra.budget) == pytest.approx(0.4)
    budgets = [1.0, 0.8, 0.6, 0.4, 0.4, 0.4]
    neuron = 1 / sum(site.channels for site in TARGET.sites)  # a density is met to the nearest neuron
    for budget, metrics in zip(budgets, history, strict=True):
        assert 0.8 * budget - neuron < metrics["density"] < budget + neuron
        assert metrics["sparsity_weight"] == 0


def test_under_a_budget_the_class_has_to_stay_and_the_neighbour_has_to_lose_it():
    options = ObjectiveOptions(Budget(0.5, steps=0), class_weight=0.0, leakage_weight=2.0)
    generator, params = make_generator(cuts=(0.5,))
    images, labels = planted_images(np.random.default_rng(5), 8, np.array([0, 1, 2, 2, 1, 0, 0, 2], np.int32))
    objective = jax.jit(make_objective(TARGET, generator, options))
    extra = init_sparsity(options)._replace(budget=jnp.float32(0.5))
    result = []
    for seed in range(3):
        keys = jax.random.split(jax.random.key(seed), 8)
        result.append(objective(params, extra, FROZEN, {"image": images, "label": labels}, keys)[0])

    # The same by hand at every density that may have been drawn.
    possible = []
    count = sum(site.channels for site in TARGET.sites)
    rows = np.arange(8)
    partner = rows ^ 1
    predicted = np.asarray(APPLY(FROZEN, images).logits.argmax(axis=1))
    foreign = predicted != predicted[partner]
    for num_open in range(round(0.4 * count), round(0.5 * count) + 1):
        masks = masks_of(generator, params, images, labels, num_open / count)
        own, crossed = (
            np.asarray(jax.nn.softmax(APPLY(FROZEN, x, masks).logits)) for x in (images, images[partner])
        )
        possible.append(-np.log(own[rows, predicted]) - 2 * foreign * np.log(1 - crossed[rows, predicted]))
    for losses in result:
        distance = np.abs(np.asarray(losses) - np.array(possible))
        np.testing.assert_allclose(distance.min(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *((partial(Budget, share), "above 0, at most 1") for share in (0.0, -0.1, 1.5, float("nan"))),
        (partial(Budget, 0.5, steps=-1), "0 or more"),
        (partial(Faithfulness, 0.0), "faithfulness is 0.0; expected nats above 0"),
        (partial(Faithfulness, dual_rate=-0.1), "dual_rate is -0.1"),
        (partial(FixedWeight, -1.0), "sparsity weight is -1.0"),
        (partial(FixedWeight, warmup_steps=-1), "warmup_steps is -1"),
        (partial(FixedWeight, temperature=0.0), "temperature is 0.0; expected above 0"),
        (partial(Faithfulness, decision_share=-0.1), "decision_share is -0.1; expected a weight from 0 to 1"),
        (partial(Faithfulness, random_density_share=1.2), "from 0 to 1"),
        (partial(Faithfulness, min_density=0.0), "min_density is 0.0"),
        (partial(ObjectiveOptions, leakage_weight=-1.0), "leakage_weight is -1.0"),
        (partial(ObjectiveOptions, class_weight=-1.0), "class_weight is -1.0"),
        (partial(ObjectiveOptions, quantizer="rint"), "'rint'; choose one of daq, straight_through"),
    ],
)
def test_a_value_out_of_its_range_is_refused_where_it_is_made(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("tried_with", [("zero",), ("mean",), ("zero", "mean")])
def test_the_least_permissive_cut_that_carries_the_decision_is_taken(tried_with):
    generator, params = make_generator(cuts=(0.05, 0.3, 1.0), taylor=True, tried_with=tried_with)
    params = jax.tree.map(
        lambda leaf: leaf + 0.2 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), params
    )
    images, labels = planted_images(np.random.default_rng(2), 16)
    masks = np.asarray(flatten(masks_of(generator, params, images, labels), TARGET.sites))
    rows = np.arange(16)
    predicted = np.asarray(APPLY(FROZEN, images).logits.argmax(axis=1))
    margins, candidates = [], []
    for cut in generator.cuts:
        candidate = masks_of(generator, params, images, labels, cut)
        under = []
        for name in tried_with:
            fills = unflatten(params["params"]["taylor_mean"] * (name == "mean"), TARGET.sites)
            gates = {site: FilledMask(mask, fills[site]) for site, mask in candidate.items()}
            logits = np.array(APPLY(FROZEN, images, gates).logits)
            own = logits[rows, predicted].copy()
            logits[rows, predicted] = -np.inf
            under.append(own - logits.max(axis=1))
        margins.append(np.min(under, axis=0))
        candidates.append(np.asarray(flatten(candidate, TARGET.sites)))
    chosen = []
    for image in rows:
        values = np.array([m[image] for m in margins])
        winners = np.flatnonzero(values > 0)
        chosen.append(winners[values[winners].argmin()] if winners.size else values.argmax())
        np.testing.assert_array_equal(masks[image], candidates[chosen[-1]][image])
    assert len(set(chosen)) > 1


def test_trials_with_means_need_a_generator_that_knows_them():
    generator, params = make_generator(cuts=(0.3, 0.6), tried_with=("zero", "mean"))
    images, labels = planted_images(np.random.default_rng(2), 4)
    with pytest.raises(InputError, match="taylor=True"):
        masks_of(generator, params, images, labels)


def test_the_means_of_taylor_scores_are_not_trained():
    generator, params = make_generator(taylor=True)
    images, labels = map(jnp.asarray, planted_images(np.random.default_rng(0), 8))
    options = ObjectiveOptions(Budget(0.5))
    objective = make_objective(TARGET, generator, options)

    def loss(params):
        batch, keys = {"image": images, "label": labels}, jax.random.split(jax.random.key(0), 8)
        return objective(params, init_sparsity(options), FROZEN, batch, keys)[0].mean()

    gradient = jax.jit(jax.grad(loss))(params)["params"]
    assert not np.any(gradient["taylor_mean"]) and np.all(np.any(gradient["taylor_gain"], axis=2))


def test_rematerialisation_keeps_a_third_of_the_sites_and_changes_no_gradient(capsys):
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    gates = {site.name: jnp.full((2, site.channels), 0.7) for site in target.sites}

    def loss(apply, gates):
        return (apply(params, images, gates).logits ** 2).mean()

    plain, saving = (
        jax.jit(jax.grad(partial(loss, apply)))(gates) for apply in (target.apply, rematerialized(target))
    )
    for name in plain:
        np.testing.assert_allclose(saving[name], plain[name], rtol=1e-4, atol=1e-6)
    print_saved_residuals(partial(loss, rematerialized(target)), gates)
    kept = [line.split(" named ")[1] for line in capsys.readouterr().out.splitlines() if " named " in line]
    # The last site is averaged at once, and a mean needs nothing kept.
    assert [name.split("'")[1] for name in kept] == [site.name for site in target.sites[:-1:3]]


def test_an_odd_number_of_images_cannot_be_paired():
    options = ObjectiveOptions(leakage_weight=1.0)
    generator, params = make_generator()
    with pytest.raises(InputError, match="even number"):
        train(generator, params, options, steps=1, batch_size=3)


def test_the_threshold_leaves_exactly_the_requested_fraction_above_it():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(5, 40)), jnp.float32)
    density = jnp.array([0.025, 0.1, 0.5, 0.75, 0.975])
    above = logits > threshold_for(logits, density)[:, None]
    assert above.sum(axis=1).tolist() == [1, 4, 20, 30, 39]


def test_the_threshold_moves_with_the_two_logits_beside_it():
    logits = jnp.array([[3.0, -1.0, 0.5, 2.0], [1.0, 4.0, 1.0, 0.0]])
    result, pull = jax.vjp(lambda logits: threshold_for(logits, jnp.array([0.5, 0.25])), logits)
    np.testing.assert_allclose(result, [(0.5 + 2.0) / 2, (1.0 + 4.0) / 2])
    # Two logits of the second image tie below the threshold and share what one would get.
    expected = [[0, 0, 0.5, 0.5], [0.25, 0.5, 0.25, 0]]
    np.testing.assert_allclose(pull(jnp.ones(2))[0], expected)


def test_a_share_of_the_decision_replaces_that_much_of_the_distillation():
    rng = np.random.default_rng(5)
    clean, masked = rng.normal(size=(2, 6, 4)).astype(np.float32)
    classes = clean.argmax(axis=1)
    p, q = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (clean, masked))
    divergence = (p * np.log(p / q)).sum(axis=1)
    decision = -np.log(q[np.arange(6), classes])
    loss, kl = Faithfulness(decision_share=0.25).prediction_losses(clean, masked, jnp.asarray(classes))
    np.testing.assert_allclose(loss, 0.75 * divergence + 0.25 * decision, rtol=1e-4)
    np.testing.assert_allclose(kl, divergence, rtol=1e-4)
