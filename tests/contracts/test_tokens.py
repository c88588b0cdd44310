"""Everything that explains maps explains tokens [B, T, C] as well: gates, baselines, metrics, systems."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpath import Preprocessing, data, devices, discover, explainers, flint, gencnp, metrics, targets
from jaxpath.fills import ABLATIONS, Fill
from jaxpath.pathways import flatten
from jaxpath.types import Patches

PREPROCESSING = Preprocessing(None, (16, 16), (0.5,) * 3, (0.25,) * 3)
BATCH, NUM_CLASSES = 4, 3


class SmallViT(nn.Module):
    """A class token and 16 patches, two blocks with attention."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (4, 4), (4, 4), padding="VALID")(x).reshape(x.shape[0], -1, 8)
        token = self.param("token", nn.initializers.normal(1.0), (1, 1, 8))
        x = jnp.concatenate([jnp.broadcast_to(token, (len(x), 1, 8)), x], axis=1)
        for _ in range(2):
            x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x))
            x = x + nn.Dense(8)(nn.gelu(nn.Dense(12)(nn.LayerNorm()(x))))
        return nn.Dense(NUM_CLASSES)(nn.LayerNorm()(x)[:, 0])


@cache
def make_target():
    target = targets.adapt_linen(SmallViT(), name="small_vit", preprocessing=PREPROCESSING)
    return target, target.init(jax.random.key(0))


def make_images():
    return np.random.default_rng(0).integers(0, 256, (BATCH, 16, 16, 3), dtype=np.uint8)


@cache
def source():
    return data.ArraySource(make_images(), np.arange(BATCH) % NUM_CLASSES, class_names=["a", "b", "c"])


@cache
def session():
    target, params = make_target()
    return metrics.Session(target, params, devices.make_mesh(jax.devices()[:1]), batch_size=BATCH)


def test_the_sites_are_tokens_with_patches():
    target, params = make_target()
    assert [(site.channels, site.spatial, site.patches) for site in target.sites] == [
        (12, (17,), Patches(1, (4, 4)))
    ] * 2
    assert targets.check(target, params, make_images()).failures() == []


@pytest.mark.parametrize("granularity", ["channel", "unit"])
@pytest.mark.parametrize("name", ["activation", "taylor", "taylor_signed", "integrated_gradients"])
def test_baselines_open_the_density_that_was_asked_for(name, granularity):
    target, params = make_target()
    explain = jax.jit(explainers.make_explainer(name, target, density=0.25, granularity=granularity))
    pathway = explain(params, make_images(), np.zeros(BATCH, int), key=jax.random.key(0))
    shape = (BATCH, 12) if granularity == "channel" else (BATCH, 17, 12)
    assert {mask.shape for mask in pathway.masks.values()} == {shape}
    opened = flatten(pathway.masks, target.sites)
    np.testing.assert_allclose(opened.mean(axis=1), 0.25)
    assert f"Pathways of {BATCH} images" in pathway._repr_html_()


@pytest.mark.parametrize("granularity", ["channel", "unit"])
def test_a_generator_learns_and_comes_back_from_its_file(tmp_path, granularity):
    import optax

    from jaxpath import training

    target, params = make_target()
    generator = gencnp.Generator(target.sites, NUM_CLASSES, width=8, grid=2, granularity=granularity)
    _, reading = jax.jit(partial(gencnp.read, target))(params, make_images())
    weights = jax.jit(generator.init)(jax.random.key(1), reading)
    options = gencnp.ObjectiveOptions(gencnp.Faithfulness(0.1))
    optimizer, mesh = optax.adamw(1e-3), devices.make_mesh(jax.devices()[:1])
    state = training.create_state(
        weights, optimizer, key=jax.random.key(2), extra=gencnp.init_sparsity(options)
    )
    step = training.make_train_step(gencnp.make_objective(target, generator, options), optimizer, mesh)
    batches = data.train_batches(source(), batch_size=BATCH, preprocessing=PREPROCESSING, seed=0)
    result = training.fit(state, step, batches, params, num_steps=3, mesh=mesh)
    batches.close()
    path = tmp_path / "generator.safetensors"
    gencnp.save_generator(generator, result.state.params, target, path, target_params=params)
    loaded, trained = gencnp.load_generator(path, target, params=params)
    explain = gencnp.make_gencnp(target, loaded, trained, density=0.5)
    pathway = explain(params, make_images(), np.zeros(BATCH, int), key=jax.random.key(0))
    expected = (BATCH, 12) if granularity == "channel" else (BATCH, 17, 12)
    assert {mask.shape for mask in pathway.masks.values()} == {expected}


def test_metrics_score_pathways_of_tokens():
    method = metrics.Method.of("taylor", explainers.make_taylor(session().target, density=0.5))
    passes = metrics.source_passes(session(), source())
    records = metrics.explain_all(session(), method, passes)
    assert 0 <= metrics.evaluate_records(session(), records, passes)["fidelity"] <= 1
    means = metrics.site_means(session(), passes)
    target, params = make_target()
    features = jax.jit(target.apply)(params, make_images()).features
    name = target.sites[0].name
    np.testing.assert_allclose(means[name], features[name].mean((0, 1)), rtol=1e-4, atol=1e-5)


@cache
def references():
    """What the classifier makes of the four pictures; classes by hand, as it may predict one for all."""
    found = metrics.make_references(session(), metrics.source_passes(session(), source()))
    return found._replace(classes=np.array([0, 1, 0, 2]))


def test_closed_tokens_hold_the_mean_of_their_channel_or_another_pictures_tokens():
    target, params = make_target()
    masks = {site.name: np.zeros((BATCH, site.channels), np.float32) for site in target.sites}
    clean = jax.jit(target.apply)(params, make_images()).features
    # Of the pictures of other classes each takes the one at its place, round and round.
    others = [1, 2, 2, 0]

    def closed(fill):
        gates = fill.close(masks, np.array([0, 1, 2, 1]), np.arange(BATCH))
        return jax.jit(target.apply)(params, make_images(), gates).features

    for site in target.sites:
        tokens = np.asarray(clean[site.name])
        means = np.broadcast_to(tokens.mean((0, 1)), tokens.shape)
        expected = {"zero": 0 * tokens, "mean": means, "interchange": tokens[others]}
        for ablation in ABLATIONS:
            held = closed(references().fill(ablation))[site.name]
            np.testing.assert_allclose(held, expected[ablation], rtol=1e-3, atol=1e-5)
        halfway = closed(references().fill("interchange", strength=0.5))[site.name]
        np.testing.assert_allclose(halfway, (means + tokens[others]) / 2, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("granularity", ["channel", "unit"])
def test_pathways_of_tokens_are_searched_and_scored_under_every_fill(granularity):
    target, _ = make_target()
    explain = explainers.make_contrastive(
        target, density=0.5, granularity=granularity, references=references(), steps=4
    )
    records = metrics.explain_all(
        session(), metrics.Method.of("contrastive", explain), metrics.source_passes(session(), source())
    )
    np.testing.assert_allclose(records.unit_density, 0.5)
    everything = metrics.Method.of(
        "all", explainers.make_random(target, density=1.0, granularity=granularity)
    )
    for ablation in ABLATIONS:
        filled = session()._replace(fill=references().fill(ablation))
        passes = metrics.source_passes(filled, source())
        figures = metrics.evaluate_records(filled, metrics.explain_all(filled, everything, passes), passes)
        # What is open is what it was, whatever closed neurons would hold.
        assert (figures["fidelity"], figures["mdc"], figures["density"]) == (1.0, 0.0, 1.0)
    assert references().fill("zero") == Fill()


def test_dissection_keeps_the_class_token():
    activity = discover.record_activity(session(), metrics.source_passes(session(), source()))
    target, params = make_target()
    features = jax.jit(target.apply)(params, make_images()).features
    for site in target.sites:
        np.testing.assert_allclose(
            activity.channels[site.name], features[site.name][:, 0], rtol=1e-3, atol=1e-4
        )


def test_flint_reads_the_patches_on_their_grid():
    target, params = make_target()
    interpreter = flint.make_interpreter(target, num_attributes=4, width=4)
    weights = flint.init_interpreter(interpreter, target, params, key=jax.random.key(0))
    output = flint.interpret(interpreter, weights, jax.jit(target.apply)(params, make_images()).features)
    assert output.attributes.shape == (BATCH, 4)
    assert output.reconstruction.shape == (BATCH, 16, 16, 3)
