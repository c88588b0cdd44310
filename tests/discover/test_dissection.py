"""Any target's channels: what is recorded of them, and the words they get."""

import jax
import numpy as np
import pytest
from foreign_models import linen_cnn
from tiny_competing import make_tiny

from jaxpath import data, devices, discover, findings, metrics, targets
from jaxpath.targets.deit import DeiT
from jaxpath.types import InputError, Site

MESH_BATCH = 8


def make_deit():
    module = DeiT(3, 8, 2, depth=1, patch=4, competitors=4)
    preprocessing = targets.make_preprocessing((8, 8), 1)
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


TARGETS = {"maps": make_tiny, "deit": make_deit, "foreign": linen_cnn}


def pictures_of(target, count=11):
    shape = (count, *target.preprocessing.crop, len(target.preprocessing.mean))
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return data.ArraySource(pixels, np.arange(count) % 3)


def open_session(target, params):
    return metrics.Session(target, params, devices.make_mesh(), batch_size=MESH_BATCH)


def record(target, params, source, **options):
    session = open_session(target, params)
    return discover.record_activity(session, metrics.source_passes(session, source), **options)


@pytest.mark.parametrize("name", TARGETS)
def test_one_value_is_kept_per_channel_of_every_site_and_image(name, key):
    target = TARGETS[name]()
    params, source = target.init(key), pictures_of(target)
    activity = record(target, params, source)
    clean = jax.jit(target.apply)(params, source.images)
    assert activity.indices.tolist() == list(range(11))
    np.testing.assert_allclose(activity.channels[discover.OUTPUTS], clean.logits, atol=1e-5)
    for site in target.sites:
        feature = np.asarray(clean.features[site.name])
        if name == "deit":
            expected = feature[:, 0]  # the class token
        else:
            expected = feature if feature.ndim == 2 else feature.mean(axis=(1, 2))
        np.testing.assert_allclose(activity.channels[site.name], expected, atol=1e-5)
    names = discover.dissect(
        activity,
        discover.label_embeddings(activity.labels, ("a", "b", "c")),
        similarity=discover.bind("soft_wpmi", key=key, top_k=3),
    )
    assert {site: len(result.words) for site, result in names.items()} == {
        discover.OUTPUTS: 3,
        **{site.name: site.channels for site in target.sites},
    }


def test_draws_belong_to_the_image_and_wins_are_counted_over_positions(key):
    target = make_tiny()
    params, source = target.init(key), pictures_of(target)
    activity = record(target, params, source, key=key)
    part = data.Subset(source, np.array([4, 2]))
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, np.arange(11))
    drawn = jax.jit(target.sample_apply)(params, source.images, key=keys)
    for site in target.sites:
        feature = np.asarray(drawn.features[site.name])
        axes = tuple(range(1, feature.ndim - 1))
        np.testing.assert_allclose(activity.channels[site.name], feature.mean(axis=axes), atol=1e-5)
        np.testing.assert_allclose(activity.won[site.name], (feature != 0).mean(axis=axes), atol=1e-6)
    # Of another data set, an image in another place has another draw.
    assert not np.allclose(
        record(target, params, part, key=key).channels[discover.OUTPUTS],
        activity.channels[discover.OUTPUTS][[4, 2]],
    )


def test_words_are_those_that_reports_read(tmp_path):
    target = targets.digit_cnn(image_size=8)
    result = discover.UnitNames(np.array([1, 0] * 64), np.ones(128), np.arange(128) != 1, ("fur", "<b>"))
    site = target.sites[-1].name
    discover.save_words({site: result, discover.OUTPUTS: result}, tmp_path / "words.json")
    words = findings.load_words(tmp_path / "words.json", target.sites)
    assert list(words) == [site] and 1 not in words[site]
    assert {words[site][channel] for channel in (0, 2)} == {"<b>"} and words[site][3] == "fur"


def test_summaries_of_features():
    maps = np.arange(24.0).reshape(2, 2, 3, 2)
    np.testing.assert_allclose(discover.summarise(maps), maps.mean(axis=(1, 2)))
    np.testing.assert_allclose(discover.summarise(maps, reduce="max"), maps.max(axis=(1, 2)))
    np.testing.assert_allclose(discover.summarise(maps[:, 0]), maps[:, 0, 0])
    np.testing.assert_allclose(discover.summarise(maps[:, 0, 0]), maps[:, 0, 0])


def test_averaged_logits_are_the_mean_of_draws_and_belong_to_the_image(key):
    target = make_tiny()
    params, images = target.init(key), pictures_of(target).images
    draw = jax.jit(target.sample_apply)
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
    keys = jax.random.split(key, 11)
    draws = [draw(params, images, key=fold(keys, number)).logits for number in range(3)]
    average = discover.average_logits(draw, params, images, key=keys, num_samples=3)
    np.testing.assert_allclose(average, np.mean(draws, axis=0), atol=1e-5)
    turned = discover.average_logits(draw, params, images[::-1], key=keys[::-1], num_samples=3)
    np.testing.assert_allclose(turned[::-1], average, atol=1e-5)
    running = discover.running_logits(draw, params, images, key=keys, num_samples=3)
    np.testing.assert_allclose(running[1], np.mean(draws[:2], axis=0), atol=1e-5)


def test_the_active_share_is_one_in_each_block(key):
    target = make_tiny()
    params, source = target.init(key), pictures_of(target)
    session = open_session(target, params)
    passes = metrics.source_passes(session, source)
    drawn = discover.evaluate_draws(session, passes, seed=0, num_samples=(1, 2))
    assert drawn.active_share == 0.5 and set(drawn.active_by_site.values()) == {0.5}
    predicted = np.asarray(jax.jit(target.apply)(params, source.images).logits).argmax(axis=1)
    assert drawn.accuracy[0] == pytest.approx((predicted == source.labels).mean())
    assert list(drawn.accuracy) == [0, 1, 2]


def test_purity_is_the_share_of_a_units_images_that_show_its_class():
    acts = np.array([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0], [0.0, 3.0]])
    result = discover.class_purity(np.array([0, 0]), acts, np.array([0, 1, 0, 0]), top=2)
    assert result.tolist() == [0.5, 1.0]


def test_purity_does_not_depend_on_the_order_of_images_that_excite_a_unit_equally():
    """One image of its class excites it; of the five others, two of class 0, one takes the second place."""
    acts, labels = np.array([[0.0]] * 5 + [[1.0]]), np.array([0, 0, 1, 1, 1, 0])
    for order in (np.arange(6), np.arange(6)[::-1]):
        result = discover.class_purity(np.array([0]), acts[order], labels[order], top=2)
        assert result.tolist() == [pytest.approx((1 + 2 / 5) / 2)]


def test_words_of_classes_that_occur_say_which_do_not(tmp_path):
    names = {"000.a": discover.UnitNames(np.array([0, 1]), np.ones(2), np.ones(2, bool), ("x", "y"))}
    discover.save_words(names, tmp_path / "words.json", left_out=("z", "w"))
    sites = (Site("000.a", 2, None),)
    assert findings.load_words(tmp_path / "words.json", sites) == {"000.a": {0: "x", 1: "y"}}
    assert findings.load_left_out(tmp_path / "words.json") == ("z", "w")
    discover.save_words(names, tmp_path / "words.json")
    assert findings.load_left_out(tmp_path / "words.json") == ()
    (tmp_path / "words.json").write_text('{"left_out": "z"}')
    with pytest.raises(InputError, match="expected a list"):
        findings.load_left_out(tmp_path / "words.json")


def test_images_that_were_not_read_bring_no_class():
    activity = discover.Activity(np.array([1, 3]), np.array([4, 2]), {}, {})
    assert activity.labels_by_place(5).tolist() == [4, 4, 4, 2, 4]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"sites": ["nowhere"]}, ["nowhere", "sites of"]),
        ({"key": jax.random.key(0)}, ["draws nothing"]),
    ],
)
def test_what_cannot_be_recorded_is_one_sentence(key, options, parts):
    target = make_tiny(competitors=1)
    with pytest.raises(InputError) as error:
        record(target, target.init(key), pictures_of(target), **options)
    assert all(part in str(error.value) for part in parts)


ACTIVITY = discover.Activity(np.arange(4), np.zeros(4), {"000.a": np.eye(4)}, {})


@pytest.mark.parametrize(
    ("attempt", "parts"),
    [
        (
            lambda: discover.dissect(ACTIVITY, discover.Embeddings(np.eye(3), np.eye(3), ("a", "b", "c"))),
            ["3 images", "image 3"],
        ),
        (
            lambda: discover.dissect(
                ACTIVITY,
                discover.Embeddings(np.eye(4), np.eye(4), tuple("abcd")),
                similarity=discover.cosine,
                winners_only=True,
            ),
            ["soft_wpmi and wpmi"],
        ),
        (lambda: discover.bind("jaccard", key=None), ["'jaccard'", "soft_wpmi"]),
        (lambda: discover.bind("cosine", key=None, top_k=3), ["cosine has no option top_k"]),
        (lambda: discover.summarise(np.zeros((1, 2, 3, 4)), reduce="sum"), ["'sum'", "'max'"]),
    ],
)
def test_a_mistake_is_one_sentence(attempt, parts):
    with pytest.raises(InputError) as error:
        attempt()
    assert all(part in str(error.value) for part in parts), error.value
