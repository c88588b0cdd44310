"""LAP nets: near their plain ones at the start, exactly them without attention, and targets like others."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import attributions, lap, targets
from jaxpath.lap.layers import Attention, LocalAttentionPool
from jaxpath.lap.pooling import local_attention_pool
from jaxpath.targets.pooling import ORDINARY
from jaxpath.targets.resnet import Bottleneck, ResNet
from jaxpath.targets.vgg import VGG
from jaxpath.types import InputError, TargetOutput

SMALL = {"num_classes": 3, "image_size": 9, "channels": 1}


def bottlenecks(*, pooling=ORDINARY, **options):
    module = ResNet(Bottleneck, (1, 1), 3, width=4, pooling=pooling)
    preprocessing = targets.make_preprocessing((18, 18), 1)
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def shallow_vgg(*, pooling=ORDINARY, **options):
    module = VGG((1,) * 5, 3, batch_norm=False, hidden=4, pool_size=1, pooling=pooling)
    preprocessing = targets.make_preprocessing((9, 9), 1)
    return targets.from_linen(module, name="shallow", num_classes=3, preprocessing=preprocessing)


MAKERS = {
    "resnet": (targets.resnet8, SMALL),
    "vgg": (shallow_vgg, {}),
    "canvas_net": (lap.canvas_net, {**SMALL, "image_size": 16, "widths": (4, 4, 8, 8)}),
    "bottleneck": (bottlenecks, {}),
}


def images_for(target, count=2):
    shape = (count, *target.preprocessing.crop, len(target.preprocessing.mean))
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@cache
def plain(name):
    make, options = MAKERS[name]
    target = make(**options)
    random = np.random.default_rng(1)

    def disturbed(leaf):
        return leaf + random.uniform(0, 0.2, leaf.shape).astype(np.float32) if leaf.ndim == 1 else leaf

    return target, jax.tree.map(disturbed, target.init(jax.random.key(0)))


@cache
def plain_output(name):
    target, params = plain(name)
    return jax.jit(target.apply)(params, images_for(target))


def extended(name, **options):
    make, given = MAKERS[name]
    target = lap.extend(make, **given, **options)
    return target, lap.keep_weights(target, plain(name)[1], key=jax.random.key(2))


def changed(params, **values):
    """Parameters with every leaf of a name set to one value."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.full_like(leaf, values[path[-1].key]) if path[-1].key in values else leaf,
        params,
    )


def largest_change(result, expected):
    return (np.linalg.norm(result - expected, axis=1) / np.linalg.norm(expected, axis=1)).max()


@pytest.mark.parametrize("name", ["resnet", "vgg", "bottleneck"])
def test_plugged_in_attention_changes_little_and_nothing_once_it_is_switched_off(name):
    target, params = extended(name, sites=lap.places(MAKERS[name][0], **MAKERS[name][1]))
    run = jax.jit(target.apply)
    images, expected = images_for(target), plain_output(name)
    start = run(params, images)
    assert 0 < largest_change(start.logits, expected.logits) < 0.01
    first = next(iter(lap.read(start).scores.values()))
    np.testing.assert_allclose(jax.nn.sigmoid(first), 0.119, atol=0.05)
    # Attention alone is another net, which was not trained. Its maps tell; biases may make the logits.
    deepest = [site.name for site in target.sites if site.spatial][-1]
    alone, before = (
        np.asarray(output.features[deepest]).reshape(len(images), -1)
        for output in (run(changed(params, gate=30.0), images), expected)
    )
    assert largest_change(alone, before) > 0.02
    # A sharpness of softplus(-30) and a gate of sigmoid(-30) are 0 in effect.
    off = run(changed(params, theta=-30.0, gate=-30.0), images)
    np.testing.assert_allclose(off.logits, expected.logits, rtol=2e-5, atol=2e-5)
    for site in target.sites:
        np.testing.assert_allclose(
            off.features[site.name], expected.features[site.name], rtol=1e-4, atol=1e-5
        )
    assert target.sites == plain(name)[0].sites


def test_maps_come_in_forward_order_with_a_concept_for_each_class():
    target = lap.extend(targets.resnet8, **SMALL)
    assert lap.places(targets.resnet8, **SMALL) == ("layer2", "layer3", "avgpool")
    # A VGG whose head is one layer on the average over space can attend there as well.
    assert lap.places(targets.vgg11_gap, image_size=64)[-2:] == ("features.20", "avgpool")
    params = jax.eval_shape(target.init, jax.random.key(0))
    seen = lap.read(jax.eval_shape(target.apply, params, images_for(target)))
    assert [(name, s.shape) for name, s in seen.scores.items()] == [
        ("lap0_layer2", (2, 9, 9, 3)),
        ("lap1_layer3", (2, 5, 5, 3)),
        ("lap2_avgpool", (2, 3, 3, 3)),
    ]
    assert [q.shape for q in seen.pooled_scores.values()] == [(2, 5, 5, 3), (2, 3, 3, 3), (2, 3)]
    assert seen.attended.shape == seen.complement.shape == (2, 3, 64)


def test_many_classes_share_one_foreground_at_inner_sites():
    target = lap.extend(lap.canvas_net, num_classes=60, image_size=12, widths=(4, 4, 8, 8))
    shapes = jax.eval_shape(
        lambda key: lap.read(target.apply(target.init(key), images_for(target))), jax.random.key(0)
    )
    assert [s.shape[-1] for s in shapes.scores.values()] == [1, 1, 60]


def test_scores_begin_where_they_are_told_to():
    make, options = MAKERS["canvas_net"]
    target = lap.extend(make, alpha=2.0, gate=None, bias=-7.0, **options)
    seen = lap.read(jax.jit(target.apply)(target.init(jax.random.key(0)), images_for(target)))
    for scores in seen.scores.values():
        np.testing.assert_allclose(scores, -7, atol=0.5)  # The last kernel is small and not zero.


def test_a_logit_reads_what_its_own_concept_attends_to():
    target, params = extended("canvas_net", sites=["avgpool"], alpha=2.0)
    params["params"]["lap0_avgpool"]["head"]["scores"]["kernel"] *= 300
    output = jax.jit(target.apply)(params, images_for(target))
    seen = lap.read(output)
    head = params["params"]["fc"]
    expected = [
        [seen.attended[b, k] @ head["kernel"][:, k] + head["bias"][k] for k in range(3)] for b in range(2)
    ]
    np.testing.assert_allclose(output.logits, expected, rtol=1e-4, atol=1e-5)
    merged, _ = extended("canvas_net", sites=["avgpool"], alpha=2.0, read_out="merged")
    result = jax.jit(merged.apply)(params, images_for(target)).logits
    np.testing.assert_allclose(
        result, seen.attended.mean(axis=1) @ head["kernel"] + head["bias"][None], rtol=1e-4, atol=1e-5
    )
    assert np.abs(result - output.logits).max() > 1e-4


def test_the_combined_map_is_the_geometric_mean_of_what_each_site_says_of_the_class():
    shape = (1, 2, 2, 2)
    scores = {"a": jnp.zeros(shape).at[0, 0, 0, 1].set(3.0), "b": jnp.full((1, 1, 1, 1), -1.0)}
    output = lap.LapOutput(None, None, scores, {}, None, None)
    combined, maps = lap.explain(output, jnp.array([1]), size=(2, 2))
    first = jax.nn.sigmoid(jnp.array([[3.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(maps["a"][0], first, rtol=1e-6)
    np.testing.assert_allclose(combined[0], jnp.sqrt(first * jax.nn.sigmoid(-1.0)), rtol=1e-5)
    product, _ = lap.explain(output, jnp.array([1]), size=(2, 2), combine="product")
    np.testing.assert_allclose(product[0], first * jax.nn.sigmoid(-1.0), rtol=1e-5)


def test_the_layer_pools_alone_and_a_closed_gate_leaves_what_it_replaces():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 4, 3)), jnp.float32)
    layer = LocalAttentionPool(2, (2, 2))
    params = jax.jit(layer.init)(jax.random.key(0), x)
    assert "intermediates" not in params
    pooled, state = layer.apply(params, x, mutable=["intermediates"])
    (maps,) = state["intermediates"]["attention"]["maps"]
    alpha = jax.nn.softplus(params["params"]["attention"]["theta"])
    by_concept, _ = local_attention_pool(x, jax.nn.sigmoid(maps.scores), alpha, window=(2, 2))
    np.testing.assert_allclose(pooled, by_concept.mean(axis=3), rtol=1e-5, atol=1e-6)
    gated = LocalAttentionPool(2, (2, 2), gate=-30.0)
    old = jnp.ones((1, 2, 2, 3))
    np.testing.assert_allclose(gated.apply(gated.init(jax.random.key(0), x), x, old), old, rtol=1e-6)


def test_the_weights_of_a_lap_net_survive_a_file(tmp_path):
    target, params = extended("canvas_net")
    targets.save_weights(target, params, tmp_path / "lap.safetensors")
    loaded = targets.load_weights(target, tmp_path / "lap.safetensors")
    jax.tree.map(np.testing.assert_array_equal, loaded, dict(params))


def test_the_attention_of_a_net_is_an_attribution():
    target, params = extended("canvas_net")
    attribute = jax.jit(lap.make_attention(target))
    maps = attribute(params, images_for(target), jnp.array([0, 2]), key=jax.random.key(0))
    assert maps.shape == (2, 16, 16) and maps.min() >= 0 and maps.max() <= 1


def test_relevance_passes_through_attention_and_is_conserved():
    target = lap.extend(lap.canvas_net, alpha=2.0, gate=None, **MAKERS["canvas_net"][1])
    params = target.init(jax.random.key(0))
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)
    labels = jnp.array([0, 2])
    explain = jax.jit(attributions.make_lrp(target, rules=attributions.EPSILON))
    relevance = explain(params, images, labels, key=jax.random.key(0))
    logits = jax.jit(target.apply)(params, images).logits[np.arange(2), labels]
    np.testing.assert_allclose(relevance.sum(axis=(1, 2)), logits, rtol=0.02, atol=1e-3)


def test_what_cannot_be_extended_is_refused():
    with pytest.raises(InputError, match=r"\['layer9'\].*layer2, layer3, avgpool"):
        lap.extend(targets.resnet8, sites=["layer9"], **SMALL)
    with pytest.raises(InputError, match="sharpness is 0"):
        lap.extend(targets.resnet8, alpha=0.0, **SMALL)
    target, params = extended("canvas_net")
    with pytest.raises(InputError, match="ordinary pooling"):
        lap.keep_weights(target, params, key=jax.random.key(0))
    with pytest.raises(InputError, match="records no attention"):
        lap.read(TargetOutput(jnp.zeros((1, 3)), {}))
    with pytest.raises(InputError, match="sharpness is 7"):
        jax.eval_shape(Attention(1, alpha=7.0).init, jax.random.key(0), jnp.zeros((1, 2, 2, 1)))
