import chex
import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import metrics
from jaxpath.fills import Fill
from jaxpath.types import InputError

COUNT = 19
UNREADABLE = (4,)
KEPT = [index for index in range(COUNT) if index not in UNREADABLE]


def data():
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, unreadable=UNREADABLE)


def arguments(make_explainer=tiny.by_activation, num_devices=1, **changes):
    return tiny.tiny_session(num_devices, **changes), tiny.method_of(make_explainer, seed=3), data()


@pytest.mark.parametrize("num_devices", [1, 8])
def test_a_row_is_what_the_explainer_gets_by_itself_at_that_density(num_devices):
    rows = metrics.density_curve(*arguments(num_devices=num_devices), densities=(0.2, 0.5))
    records = metrics.explain_all(*arguments())
    expected = metrics.evaluate_records(tiny.tiny_session(), records, data(), seed=3)
    assert [row["density"] for row in rows] == [0.2, 0.5]
    # No objects are marked.
    curves = {metric.name for metric in metrics.METRICS if metric.at_densities} - {"object_above_background"}
    assert rows[1].keys() == curves | {"density"} and len(curves) > 5
    for name in curves:
        assert rows[1][name] == pytest.approx(expected[name], rel=1e-5), name
    assert rows[0]["mdc"] != rows[1]["mdc"]


@pytest.mark.parametrize("make_explainer", [tiny.by_activation, tiny.by_unit_activation])
def test_everything_open_is_perfect_and_nothing_open_says_nothing(make_explainer):
    closed, opened = metrics.density_curve(*arguments(make_explainer), densities=(0.0, 1.0))
    perfect = {"fidelity": 1, "mdc": 0, "mic": 0, "leakage": 0, "retention": 1, "aciou": 1, "between_iou": 1}
    assert {name: opened[name] for name in perfect} == pytest.approx(perfect, abs=1e-6)
    # All logits are 0 and tie: class 0 for every image.
    predicted = metrics.explain_all(*arguments()).predicted
    assert closed["fidelity"] == pytest.approx(np.mean(predicted == 0))


def test_random_scores_overlap_as_chance_does():
    images, labels = tiny.tiny_images(200)
    passes = tiny.make_batches(images, labels, batch_size=40)
    (row,) = metrics.density_curve(
        tiny.tiny_session(), tiny.method_of(tiny.by_chance), passes, densities=(0.6,)
    )
    # Two draws of 9 of 15: the mean of k / (18 - k), k hypergeometric, not quite d / (2 - d).
    from scipy.stats import hypergeom

    k = np.arange(3, 10)
    expected = (hypergeom(15, 9, 9).pmf(k) * k / (18 - k)).sum()
    assert row["aciou"] == pytest.approx(expected, abs=0.02)
    assert row["between_iou"] == pytest.approx(expected, abs=0.02)


def slow_curves(make_explainer, fractions, fills=None):
    """Each image's probability of its predicted class with the best neurons open, and with them closed."""
    inserted, deleted = [], []
    for image in tiny.tiny_images(COUNT)[0][KEPT].astype(np.float64):
        clean, activations = tiny.numpy_forward(tiny.tiny_params(), image)
        units = make_explainer is tiny.by_unit_activation
        scores = activations if units else [a.mean(axis=(0, 1)) if a.ndim == 3 else a for a in activations]
        flat = np.concatenate([score.ravel() for score in scores])
        split = tiny.split_units if units else tiny.split_channels
        order = sorted(range(flat.size), key=lambda n: (-flat[n], n))
        for curve, keeps in ((inserted, True), (deleted, False)):
            row = []
            for fraction in fractions:
                best = np.isin(np.arange(flat.size), order[: round(fraction * flat.size)])
                logits, _ = tiny.numpy_forward(tiny.tiny_params(), image, split(best == keeps), fills)
                row.append(tiny.softmax(logits)[clean.argmax()])
            curve.append(row)
    return np.array(inserted), np.array(deleted)


@pytest.mark.parametrize("make_explainer", [tiny.by_activation, tiny.by_unit_activation])
@pytest.mark.parametrize("num_devices", [1, 8])
def test_insertion_and_deletion_agree_with_one_image_at_a_time(make_explainer, num_devices):
    fractions = (0.0, 0.1, 0.4, 1.0)
    result = metrics.insertion_deletion(*arguments(make_explainer, num_devices), fractions=fractions)
    inserted, deleted = slow_curves(make_explainer, fractions)
    np.testing.assert_allclose(result.insertion, inserted, rtol=1e-4)
    np.testing.assert_allclose(result.deletion, deleted, rtol=1e-4)


def test_one_explanation_gives_what_two_give():
    """By chance: two explanations of an image agree only if they were drawn with the same key."""
    asked = {"densities": (0.2, 0.7), "fractions": (0.0, 0.3, 1.0)}
    records, curves = metrics.explain_once(*arguments(tiny.by_chance), **asked)
    apart = metrics.explain_at_densities(*arguments(tiny.by_chance), densities=asked["densities"])
    chex.assert_trees_all_close(records, apart, rtol=1e-6)
    alone = metrics.insertion_deletion(*arguments(tiny.by_chance), fractions=asked["fractions"])
    chex.assert_trees_all_close(curves, alone, rtol=1e-6)


def test_insertion_under_mean_ablation_starts_from_the_means():
    fills = metrics.site_means(tiny.tiny_session(), data())
    result = metrics.insertion_deletion(*arguments(fill=Fill(fills)), fractions=(0.0, 0.5, 1.0))
    slow_fills = [fills[site.name] for site in tiny.SITES]
    inserted, deleted = slow_curves(tiny.by_activation, (0.0, 0.5, 1.0), slow_fills)
    np.testing.assert_allclose(result.insertion, inserted, rtol=1e-4)
    np.testing.assert_allclose(result.deletion, deleted, rtol=1e-4)


def test_areas_are_mean_heights():
    curves = metrics.InsertionDeletion(
        np.array([0.0, 0.5, 1.0]), np.array([[0.0, 0.4, 1.0]]), np.array([[0.6, 0.6, 0.6]])
    )
    # 0.5 * (0 + 0.4) / 2 + 0.5 * (0.4 + 1) / 2, and a constant.
    np.testing.assert_allclose(curves.insertion_area, [0.45])
    np.testing.assert_allclose(curves.deletion_area, [0.6])
    half = metrics.InsertionDeletion(np.array([0.0, 0.25]), np.array([[0.2, 0.4]]), np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(half.insertion_area, [0.3])


@pytest.mark.parametrize("fractions", [(0.5,), (0.0, 0.5, 0.5), (0.5, 0.1), (0.0, 1.5), (-0.1, 1.0)])
def test_fractions_that_do_not_rise_from_zero_to_one_are_refused(fractions):
    with pytest.raises(InputError, match="fractions"):
        metrics.insertion_deletion(*arguments(), fractions=fractions)
