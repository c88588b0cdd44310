import jax
import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import metrics
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
    return session._replace(fills=metrics.site_means(session, data()))


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
