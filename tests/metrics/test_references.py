import jax
import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import metrics
from jaxpath.fills import ABLATIONS, Fill, References
from jaxpath.gating import fill_closed
from jaxpath.types import InputError

COUNT = 21
UNREADABLE = (0, 9, 13)
KEPT = [index for index in range(COUNT) if index not in UNREADABLE]


def data(batch_size=8):
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, batch_size=batch_size, unreadable=UNREADABLE)


def slow_means():
    images = tiny.tiny_images(COUNT)[0][KEPT].astype(np.float64)
    activations = [tiny.numpy_forward(tiny.tiny_params(), image)[1] for image in images]
    return [
        np.mean([a[site].reshape(-1, a[site].shape[-1]).mean(axis=0) for a in activations], axis=0)
        for site in range(3)
    ]


@pytest.mark.parametrize(("num_devices", "batch_size"), [(1, 8), (8, 8), (1, 4), (1, 21)])
def test_site_means_are_exact_for_any_devices_batches_and_padding(num_devices, batch_size):
    means = metrics.site_means(tiny.tiny_session(num_devices), data(batch_size))
    for site, expected in zip(tiny.SITES, slow_means(), strict=True):
        np.testing.assert_allclose(means[site.name], expected, rtol=1e-5, atol=1e-6)


def test_no_image_is_refused():
    with pytest.raises(InputError, match="no image"):
        metrics.site_means(tiny.tiny_session(), lambda: [])


def test_open_gates_with_fills_are_exact():
    target, params, images = tiny.tiny_target(), tiny.tiny_params(), tiny.tiny_images(4)[0]
    masks = {site.name: np.ones((4, site.channels), np.float32) for site in tiny.SITES}
    fills = {site.name: np.full(site.channels, 3.0, np.float32) for site in tiny.SITES}
    apply = jax.jit(target.apply)
    clean, filled = apply(params, images), apply(params, images, fill_closed(masks, fills))
    np.testing.assert_array_equal(clean.logits, filled.logits)
    for site in tiny.SITES:
        np.testing.assert_array_equal(clean.features[site.name], filled.features[site.name])


def with_means(num_devices):
    session = tiny.tiny_session(num_devices)
    return session._replace(fill=Fill(metrics.site_means(session, data())))


def test_records_under_mean_ablation_agree_with_one_image_at_a_time():
    session, params = with_means(8), tiny.tiny_params()
    records = metrics.explain_all(session, tiny.method_of(tiny.by_activation), data())
    partners = metrics.foreign_partners(records.predicted, seed=0)
    crossed = metrics.masked_predictions(session, records, data(), table=records.table, rows=partners)
    images = tiny.tiny_images(COUNT)[0][KEPT].astype(np.float64)
    for i, image in enumerate(images):
        for mask, confidences in (
            (i, records.masked_confidence),
            (partners[i], crossed["masked_confidence"]),
        ):
            masks = tiny.split_channels(records.masks[mask])
            logits, _ = tiny.numpy_forward(params, image, masks, slow_means())
            assert confidences[i] == pytest.approx(tiny.softmax(logits)[records.predicted[i]], rel=1e-4)


def test_every_closed_neuron_at_its_mean_gives_one_prediction_for_all():
    (records,) = metrics.explain_at_densities(
        with_means(1), tiny.method_of(tiny.by_activation), data(), densities=[0.0]
    )
    logits = slow_means()[2] @ np.asarray(tiny.tiny_params()["readout"])
    assert set(records.masked_predicted) == {logits.argmax()}


def references(num_devices=1, batch_size=8, **options) -> References:
    return metrics.make_references(tiny.tiny_session(num_devices), data(batch_size), **options)


@pytest.mark.parametrize(("num_devices", "batch_size"), [(1, 8), (8, 8), (1, 4), (1, 21)])
def test_references_are_the_first_images_of_each_class_on_any_devices(num_devices, batch_size):
    result = references(num_devices, batch_size, most=5)
    images = tiny.tiny_images(COUNT)[0]
    clean = [tiny.numpy_forward(tiny.tiny_params(), images[index].astype(np.float64)) for index in KEPT]
    predicted = [int(logits.argmax()) for logits, _ in clean]
    # One after another of each class in turn, until there are five.
    rounds = sorted(range(len(KEPT)), key=lambda row: (predicted[:row].count(predicted[row]), predicted[row]))
    rows = sorted(rounds[:5])
    np.testing.assert_array_equal(result.images, images[[KEPT[row] for row in rows]])
    np.testing.assert_array_equal(result.classes, [predicted[row] for row in rows])
    for place, site in enumerate(tiny.SITES):
        expected = [clean[row][1][place] for row in rows]
        np.testing.assert_allclose(result.features[site.name], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(result.means[site.name], slow_means()[place], rtol=1e-5, atol=1e-6)


def slow_fill(ablation, given: References, label, index, strength=None):
    """The fills of one image as ``numpy_forward`` takes them."""
    if ablation == "zero":
        return None
    if ablation == "mean":
        return slow_means()
    others = [row for row, c in enumerate(given.classes) if c != label]
    image = np.asarray(given.images[others[index % len(others)]], np.float64)
    features = tiny.numpy_forward(tiny.tiny_params(), image)[1]
    if strength is None:
        return features
    return [mean + strength * (f - mean) for mean, f in zip(slow_means(), features, strict=True)]


@pytest.mark.parametrize("num_devices", [1, 8])
@pytest.mark.parametrize("strength", [None, 0.4])
@pytest.mark.parametrize("make_explainer", [tiny.by_activation, tiny.by_unit_activation])
def test_records_under_an_interchange_agree_with_one_image_at_a_time(num_devices, strength, make_explainer):
    given = references()
    session = tiny.tiny_session(num_devices, fill=given.fill("interchange", strength=strength))
    records = metrics.explain_all(session, tiny.method_of(make_explainer), data())
    partners = metrics.foreign_partners(records.predicted, seed=0)
    owners = records.predicted[partners]
    crossed = metrics.masked_predictions(
        session, records, data(), table=records.table, rows=partners, owners=owners
    )
    split = tiny.split_channels if make_explainer is tiny.by_activation else split_bits
    for i, index in enumerate(KEPT):
        image = tiny.tiny_images(COUNT)[0][index].astype(np.float64)
        own = slow_fill("interchange", given, records.predicted[i], index, strength)
        logits, _ = tiny.numpy_forward(tiny.tiny_params(), image, split(records.table[i]), own)
        assert records.masked_predicted[i] == logits.argmax()
        assert records.masked_confidence[i] == pytest.approx(
            tiny.softmax(logits)[records.predicted[i]], rel=1e-3
        )
        other = slow_fill("interchange", given, owners[i], index, strength)
        logits, _ = tiny.numpy_forward(tiny.tiny_params(), image, split(records.table[partners[i]]), other)
        assert crossed["masked_predicted"][i] == logits.argmax()
        rest = np.delete(logits, owners[i]).max()
        assert crossed["margin"][i] == pytest.approx(logits[owners[i]] - rest, rel=1e-3, abs=1e-4)


def split_bits(bits):
    return tiny.split_units(np.unpackbits(bits, count=tiny.NUM_UNITS))


def test_with_everything_closed_the_answer_under_an_interchange_is_the_references():
    given = references()
    session = tiny.tiny_session(fill=given.fill("interchange"))
    closed, other = (
        metrics.explain_at_densities(session, tiny.method_of(tiny.by_activation), passes, densities=[0.0])[0]
        for passes in (data(), blackened())
    )
    for records in (closed, other):
        for i, index in enumerate(KEPT):
            others = np.flatnonzero(given.classes != records.predicted[i])
            assert records.masked_predicted[i] == given.classes[others[index % len(others)]]


def blackened():
    """Other pictures at the same places."""
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images[::-1] * 0.5, labels, unreadable=UNREADABLE)


def test_images_are_fetched_by_their_places():
    session = tiny.tiny_session(8)
    result = metrics.images_at(session, data(), np.array([20, 1, 14]))
    np.testing.assert_array_equal(result, tiny.tiny_images(COUNT)[0][[20, 1, 14]])
    with pytest.raises(InputError, match=r"1 of 2 images were not found.* 9;"):
        metrics.images_at(session, data(), np.array([9, 10]))


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_ablation_leaves_open_networks_alone(ablation):
    session = tiny.tiny_session(fill=references().fill(ablation))
    (records,) = metrics.explain_at_densities(
        session, tiny.method_of(tiny.by_activation), data(), densities=[1.0]
    )
    np.testing.assert_allclose(records.masked_confidence, records.clean_confidence, rtol=1e-6)
