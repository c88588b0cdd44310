"""No measurement makes a figure of NaN or infinity: not of the classifier's, not of an explainer's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import data, metrics
from jaxpath.types import InputError, Pathway, TargetOutput

IMAGES, LABELS = tiny.tiny_images(12)
PASSES = tiny.make_batches(IMAGES, LABELS)
BAD = (float("nan"), float("inf"))


def spoilt_session(bad):
    """The classifier with one bad weight."""
    params = tiny.tiny_params()
    return tiny.tiny_session(params={**params, "readout": params["readout"].at[0, 1].set(bad)})


def by_numbers_that_are_none(_=None):
    """An explainer whose scores hold NaN; a mask of them is closed or open by chance."""

    def explain(params, images, labels, *, key):
        pathway = tiny.by_activation()(params, images, labels, key=key)
        name = tiny.SITES[1].name
        return Pathway({**pathway.scores, name: pathway.scores[name] * jnp.nan}, pathway.masks)

    return explain


def records_of(session, method):
    return metrics.explain_all(session, method, PASSES)


MEASUREMENTS = {
    "explain_all": records_of,
    "densities": lambda session, method: metrics.explain_at_densities(
        session, method, PASSES, densities=[0.3]
    ),
    "insertion": lambda session, method: metrics.insertion_deletion(session, method, PASSES),
    "cascade": lambda session, method: metrics.cascading_randomization(session, method, PASSES, density=0.5),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_classifier_whose_logits_are_not_finite_gets_no_figure(name, bad):
    method = tiny.method_of(tiny.by_activation)
    MEASUREMENTS[name](tiny.tiny_session(), method)
    with pytest.raises(InputError, match=r"^logits of image \d.* not finite; expected numbers"):
        MEASUREMENTS[name](spoilt_session(bad), method)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_an_explainer_whose_scores_are_not_finite_gets_no_figure(name):
    with pytest.raises(InputError, match=r"^scores of image 0"):
        MEASUREMENTS[name](tiny.tiny_session(), tiny.method_of(by_numbers_that_are_none))


def test_one_image_that_is_not_finite_is_named():
    images = IMAGES.copy()
    images[9, 2, 2] = np.nan
    with pytest.raises(InputError, match=r"^activations of image 9 not finite"):
        metrics.explain_all(
            tiny.tiny_session(), tiny.method_of(tiny.by_activation), tiny.make_batches(images, LABELS)
        )


def test_an_image_of_a_source_is_called_by_its_name():
    source = data.ArraySource(np.zeros((3, 4, 4, 3), np.uint8), np.zeros(3, int), origin="zeros.npz")
    session = spoilt_session(np.nan)
    passes = metrics.source_passes(session, source)
    with pytest.raises(InputError) as error:
        metrics.explain_all(session, tiny.method_of(tiny.by_activation), passes)
    assert source.name(0) in str(error.value)


def test_logits_under_a_mask_are_looked_at_as_well():
    records = records_of(tiny.tiny_session(), tiny.method_of(tiny.by_activation))
    table, rows = np.ones((1, tiny.NUM_CHANNELS), bool), np.zeros(len(IMAGES), int)
    with pytest.raises(InputError, match=r"^logits under the mask of image 0"):
        metrics.masked_predictions(spoilt_session(np.nan), records, PASSES, table=table, rows=rows)


def test_activations_that_the_logits_do_not_show_are_refused():
    target = tiny.tiny_target()

    def apply(params, images, gates=None):
        output = target.apply(params, images, gates)
        features = {**output.features, tiny.SITES[0].name: output.features[tiny.SITES[0].name] + jnp.inf}
        return TargetOutput(output.logits, features)

    session = tiny.tiny_session(target=target._replace(apply=apply))
    with pytest.raises(InputError, match=r"^activations of image 0"):
        records_of(session, tiny.method_of(tiny.by_chance))
    with pytest.raises(InputError, match=r"^mean activations of image 0"):
        metrics.site_means(session, PASSES)


def test_what_is_computed_of_each_image_is_refused_unless_nan_is_a_value_there():
    session = tiny.tiny_session()

    def ratio(params, batch):
        return {"ratio": batch["index"] / jnp.where(batch["index"] == 3, jnp.nan, 1)}

    with pytest.raises(InputError, match=r"^ratio of image 3 not finite"):
        metrics.per_image(ratio, {}, PASSES, mesh=session.mesh)
    values = metrics.per_image(ratio, {}, PASSES, mesh=session.mesh, undefined=("ratio",))["ratio"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [3])


HALF = np.array([0.5, 0.5])
MATRIX = np.eye(4) * 0.5 + np.arange(16).reshape(4, 4)
MAPS = np.arange(32.0).reshape(2, 4, 4)
REGION = np.ones((2, 4, 4))


def with_one(bad, values):
    values = np.array(values, float)
    values.flat[1] = bad
    return values


def predict(pixels):
    return pixels[:, 0, 0]


CURVES = metrics.InsertionDeletion(np.array([0.0, 1.0]), np.ones((2, 2)), np.ones((2, 2)))

ON_ARRAYS = {
    "agreement": lambda bad: metrics.agreement(with_one(bad, [0, 1]), np.array([0, 1])),
    "drop": lambda bad: metrics.mean_drop(HALF, with_one(bad, HALF)),
    "increase": lambda bad: metrics.mean_increase(with_one(bad, HALF), HALF),
    "similarity": lambda bad: metrics.class_similarity(with_one(bad, np.ones((2, 3))), np.array([0, 1]), 2),
    "iou": lambda bad: metrics.pairwise_iou(with_one(bad, np.ones((2, 3))), np.ones((2, 3))),
    "matrices": lambda bad: metrics.matrix_correlation(with_one(bad, MATRIX), MATRIX),
    "depth": lambda bad: metrics.density_over_depth(with_one(bad, np.ones((2, 15))), tiny.SITES),
    "saliency": lambda bad: metrics.saliency_agreement(with_one(bad, MAPS), MAPS),
    "area": lambda bad: CURVES._replace(insertion=with_one(bad, CURVES.insertion)).insertion_area,
    "pointing": lambda bad: metrics.pointing_game(with_one(bad, MAPS), REGION),
    "energy": lambda bad: metrics.energy_in_mask(with_one(bad, MAPS), REGION),
    "overlap": lambda bad: metrics.overlap_at(with_one(bad, MAPS), REGION, 0.5),
    "best": lambda bad: metrics.best_overlap(with_one(bad, MAPS), REGION),
    "precision": lambda bad: metrics.average_precision(with_one(bad, MAPS), REGION),
    "chance": lambda bad: metrics.against_chance(with_one(bad, [0, 1]), np.array([0, 1]), 2),
    "pixels": lambda bad: metrics.pixel_insertion_deletion(
        predict, np.ones((2, 4, 4, 3)), jnp.asarray(with_one(bad, MAPS)), np.zeros(2, int), baseline=0.0
    ),
    "kept": lambda bad: metrics.keeps_class(
        predict,
        jnp.ones((2, 4, 4, 3)),
        jnp.asarray(with_one(bad, MAPS)),
        np.zeros(2, int),
        share=0.5,
        baseline=0.0,
    ),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ON_ARRAYS)
def test_a_function_on_arrays_refuses_them(name, bad):
    ON_ARRAYS[name](7.0 if name == "matrices" else 1.0)
    with pytest.raises(InputError, match="not finite"):
        ON_ARRAYS[name](bad)


@pytest.mark.parametrize("name", ["pointing_game", "energy_in_mask", "average_precision", "best_overlap"])
def test_a_compiled_metric_of_pixels_is_nan_for_the_image_that_is_not_finite(name):
    maps = MAPS.astype(np.float32)
    expected = getattr(metrics, name)(maps, REGION)
    maps[1, 2, 2] = np.nan
    result = jax.jit(getattr(metrics, name))(maps, REGION)
    for found, right in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, [right[0], np.nan])


def test_the_class_under_the_best_pixels_is_unknown_where_logits_are_not_finite():
    kept = jax.jit(
        lambda pixels: metrics.keeps_class(
            predict, pixels, jnp.asarray(MAPS), np.zeros(2, int), share=1.0, baseline=0.0
        )
    )
    pixels = np.ones((2, 4, 4, 3), np.float32)
    pixels[0, 0, 0] = [3, np.nan, 1]
    np.testing.assert_array_equal(kept(pixels), [np.nan, 1])
