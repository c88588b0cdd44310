import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_target as tiny
from scipy import stats

from jaxpath import metrics, targets
from jaxpath.metrics.sanity import spearman, stage_of_parameters
from jaxpath.pathways import flatten, top_fraction, unflatten
from jaxpath.targets.resnet import BasicBlock, ResNet
from jaxpath.types import InputError, Pathway

COUNT = 13


def data():
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, unreadable=(3,))


def cascade(make_explainer, num_devices=1, params=None, seed=0, **options):
    session = tiny.tiny_session(num_devices)
    if params is not None:
        session = session._replace(params=params)
    return metrics.cascading_randomization(
        session, tiny.method_of(make_explainer, seed=seed), data(), **options
    )


def by_weights(_):
    """Scores the dense site by the weights of the label's logit, the others by nothing."""

    def explain(params, images, labels, *, key):
        scores = {site.name: jnp.zeros((len(images), site.channels)) for site in tiny.SITES}
        scores["002.dense"] = params["readout"].T[labels]
        return Pathway(scores, unflatten(top_fraction(flatten(scores, tiny.SITES), 0.2), tiny.SITES))

    return explain


def by_position(_):
    """Looks at no weight at all."""

    def explain(params, images, labels, *, key):
        flat = jnp.tile(jnp.arange(float(tiny.NUM_CHANNELS))[None], (len(images), 1))
        return Pathway(unflatten(flat, tiny.SITES), unflatten(top_fraction(flat, 0.4), tiny.SITES))

    return explain


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_agrees_with_scipy(ties):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 40)).astype(np.float32)
    if ties:
        a, b = np.round(a), np.maximum(b, 0)
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(spearman(jnp.asarray(a), jnp.asarray(b)), expected, atol=1e-5)


def test_scores_that_all_tie_have_no_rank_correlation():
    assert np.isnan(spearman(jnp.ones((1, 5)), jnp.arange(5.0)[None]))[0]


def test_parameters_belong_to_the_first_site_they_reach():
    image = tiny.tiny_images(1)[0]
    first_sites = stage_of_parameters(tiny.tiny_target(), tiny.tiny_params(), image)
    # Leaves of a dict are ordered by key: a, b, bias, c, readout.
    assert first_sites == ["000.first", "001.second", "000.first", "002.dense", "logits"]


def test_layers_of_a_residual_network_are_found_in_forward_order():
    module = ResNet(BasicBlock, (1, 1), 3, width=4, imagenet_stem=False)
    preprocessing = targets.make_preprocessing(4, 1)
    target = targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)
    params = target.init(jax.random.key(0))
    stages = stage_of_parameters(target, params, np.zeros((1, 4, 4, 1), np.uint8))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    first_sites = dict(zip(paths, stages, strict=True))
    assert first_sites["['params']['fc']['kernel']"] == "logits"
    assert first_sites["['params']['conv1']['kernel']"] == target.sites[0].name
    assert first_sites["['batch_stats']['bn1']['mean']"] == target.sites[0].name
    assert first_sites["['params']['layer2_0']['conv1']['kernel']"].endswith("layer2.0.relu1")
    assert first_sites["['params']['layer2_0']['downsample_1']['bias']"].endswith("layer2.0.relu2")
    assert set(stages) == {"logits", *(site.name for site in target.sites)}


def test_stages_go_down_from_the_classifier_until_nothing_trained_is_left():
    rows = cascade(tiny.by_activation)
    assert [row.stage for row in rows] == ["logits", "002.dense", "001.second", "000.first"]
    # 12, 20, 30 and 18 + 6 numbers.
    np.testing.assert_allclose([row.share for row in rows], np.cumsum([12, 20, 30, 24]) / 86)
    assert all(row.iou.shape == row.spearman.shape == (COUNT - 1,) for row in rows)


def test_a_stage_compares_with_the_target_whose_upper_layers_are_new():
    row = cascade(tiny.by_activation, seed=5)[2]
    trained, fresh = tiny.tiny_params(), tiny.tiny_target().init(jax.random.key(5))
    mixed = {**trained, "readout": fresh["readout"], "c": fresh["c"], "b": fresh["b"]}
    explain = tiny.by_activation()
    images = np.delete(tiny.tiny_images(COUNT)[0], 3, axis=0)
    before, after = (explain(params, images, None, key=None) for params in (trained, mixed))
    for i in range(COUNT - 1):
        a, b = (np.asarray(flatten(p.masks, tiny.SITES))[i] > 0 for p in (before, after))
        assert row.iou[i] == pytest.approx((a & b).sum() / (a | b).sum())
        x, y = (np.asarray(flatten(p.scores, tiny.SITES))[i] for p in (before, after))
        assert row.spearman[i] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-5)
    assert row.spearman.mean() < 0.95


def test_an_explainer_of_the_classifier_alone_changes_at_once_and_then_no_more():
    rows = cascade(by_weights)
    assert rows[0].spearman.mean() < 0.9
    for row in rows[1:]:
        np.testing.assert_array_equal(row.spearman, rows[0].spearman)


def test_an_explainer_that_ignores_the_weights_is_exposed():
    for row in cascade(by_position):
        np.testing.assert_array_equal(row.iou, 1)
        np.testing.assert_allclose(row.spearman, 1, rtol=1e-6)


def test_the_same_weights_again_change_nothing():
    # The "trained" parameters are the ones that the seed draws.
    for row in cascade(tiny.by_activation, params=tiny.tiny_target().init(jax.random.key(9)), seed=9):
        np.testing.assert_array_equal(row.iou, 1)


@pytest.mark.parametrize("make_explainer", [tiny.by_activation, tiny.by_unit_activation])
def test_eight_devices_find_what_one_finds_at_a_density(make_explainer):
    one = cascade(make_explainer, density=0.3)
    eight = cascade(make_explainer, num_devices=8, density=0.3)
    for a, b in zip(one, eight, strict=True):
        np.testing.assert_allclose(a.iou, b.iou, rtol=1e-6)
        np.testing.assert_allclose(a.spearman, b.spearman, atol=1e-5)


def test_parameters_of_another_target_are_refused():
    with pytest.raises(InputError, match="tiny"):
        cascade(tiny.by_activation, params={**tiny.tiny_params(), "c": jnp.zeros((5, 3))})


def constant_session():
    params = tiny.tiny_params()
    target = tiny.tiny_target()._replace(init=lambda key: params)
    return tiny.tiny_session()._replace(target=target, params=params)


def test_an_init_that_returns_the_trained_parameters_is_noticed():
    with pytest.raises(InputError, match=r"4 of 5 arrays that .*'s init returns are the trained ones"):
        metrics.cascading_randomization(constant_session(), tiny.method_of(by_weights), data())


@pytest.mark.parametrize("reinitialise", ["permute", "resample"])
def test_arrays_are_shuffled_or_drawn_from_where_there_is_no_init(reinitialise):
    session = constant_session()
    fresh = metrics.make_anew(session.target, session.params, seed=3, reinitialise=reinitialise)
    for old, new in zip(jax.tree.leaves(session.params), jax.tree.leaves(fresh), strict=True):
        assert new.shape == old.shape and set(new.ravel()) <= set(np.asarray(old).ravel())
        if reinitialise == "permute":
            np.testing.assert_array_equal(np.sort(new.ravel()), np.sort(np.asarray(old).ravel()))
    stages = metrics.cascading_randomization(
        session, tiny.method_of(by_weights), data(), reinitialise=reinitialise
    )
    assert stages[-1].share == 1 and stages[0].iou.mean() < 1


def test_another_way_to_reinitialise_is_refused():
    with pytest.raises(InputError, match="reinitialise is 'zero'; expected 'init', 'permute' or 'resample'"):
        metrics.make_anew(tiny.tiny_target(), tiny.tiny_params(), seed=0, reinitialise="zero")
