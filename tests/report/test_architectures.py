"""The figure of two architectures, read back from matplotlib's own objects."""

import numpy as np
import pytest
from drawn import check_drawn

from jaxpath.report import Architecture, plot_architectures
from jaxpath.report.architectures import _pairs_to_name
from jaxpath.types import InputError

NAMES = ("ant", "$1 & $2", "c" * 60)
IMAGES = np.zeros((2, 5, 6, 3), np.uint8)


def architecture(name="net", seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = {
        "densities": rng.random((10, 5)),
        "iou": rng.random((3, 3)),
        "saliency": rng.normal(size=(2, 5, 6)),
        "predictions": [0, 2],
        "clean": [0.9, 0.8],
        "masked": [0.7, 0.6],
    }
    return Architecture(name, **(values | changes))


def plot(first, second, **changes):
    arguments = {
        "images": IMAGES,
        "labels": [0, 2],
        "classes": [0, 1, 2],
        "class_names": NAMES,
        "correlation": {"pearson": 0.1, "spearman": 0.42, "spearman_p": 0.03},
    }
    return plot_architectures(first, second, **(arguments | changes))


def panels(figure):
    """The four panels above, and the grid of examples below, row by row."""
    above, below = figure.subfigs
    return above.axes[:4], np.reshape(below.axes, (3, -1))


def test_the_densities_are_lines_of_means_with_the_band_of_the_middle_images():
    first, second = architecture("a", 0), architecture("b", 1)
    (axes, *_), _ = panels(plot(first, second))
    for one, line, band in zip((first, second), axes.lines, axes.collections, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(line.get_ydata(), one.densities.mean(axis=0))
        low, high = np.percentile(one.densities, [10, 90], axis=0)
        heights = band.get_paths()[0].vertices[:, 1]
        assert {*low.round(6), *high.round(6)} == set(heights.round(6))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_both_matrices_have_one_scale_of_colours():
    first, second = architecture(seed=0), architecture(seed=1)
    (_, *matrices, _), _ = panels(plot(first, second))
    for one, axes in zip((first, second), matrices, strict=True):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), one.iou)
        assert image.get_clim() == (0, 1)


def test_each_pair_of_classes_is_a_point_and_the_correlation_is_said():
    first, second = architecture(seed=0), architecture(seed=1)
    (*_, axes), _ = panels(plot(first, second))
    expected = [(first.iou[i, j], second.iou[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), expected)
    assert "0.42" in axes.get_title(loc="left") and "0.03" in axes.get_title(loc="left")


def test_each_example_has_its_picture_two_maps_and_their_confidences():
    first = architecture("a", 0)
    second = architecture("b", 1, predictions=[0, 0], clean=[0.5, 0.25])
    _, grid = panels(plot(first, second))
    assert grid.shape == (3, 2)
    for row, one in ((1, first), (2, second)):
        assert grid[row, 0].get_ylabel() == one.name
        for column in range(2):
            shown = grid[row, column].images[0].get_array()
            np.testing.assert_allclose(shown, np.abs(one.saliency[column]))
    said = [[axes.get_xlabel() for axes in row] for row in grid[1:]]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert said[0] == [f"0.90 {arrow} 0.70", f"0.80 {arrow} 0.60"]
    # A wrong prediction says the class, in another colour.
    assert said[1] == [f"0.50 {arrow} 0.70", f"ant: 0.25 {arrow} 0.60"]
    right, wrong = (axes.xaxis.label.get_color() for axes in grid[2])
    assert right != wrong


def test_an_empty_map_says_that_there_is_none():
    blank = architecture(saliency=np.stack([np.zeros((5, 6)), np.ones((5, 6))]))
    _, grid = panels(plot(blank, architecture()))
    assert [[text.get_text() for text in axes.texts] for axes in grid[1]] == [["none"], []]


@pytest.mark.parametrize("num_images", [1, 2])
def test_it_is_drawn_with_odd_names_missing_overlaps_and_no_correlation(tmp_path, num_images):
    iou = np.full((3, 3), np.nan)
    odd = architecture("$x$ & $y", iou=iou, saliency=np.ones((num_images, 5, 6)))
    nothing = dict.fromkeys(("pearson", "spearman", "spearman_p"), float("nan"))
    figure = plot(odd, odd, correlation=nothing, images=IMAGES[:num_images], labels=[0, 2][:num_images])
    check_drawn(figure, tmp_path / "a.png", num_axes=5 + 3 * num_images)


def test_a_single_class_has_no_pairs():
    alone = architecture(iou=np.ones((1, 1)))
    (*_, axes), _ = panels(plot(alone, alone, classes=[2]))
    assert len(axes.collections[0].get_offsets()) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"iou": np.eye(2)}, "2 classes"), ({"saliency": np.ones((1, 5, 6))}, "1 saliency maps")],
)
def test_classifiers_of_other_classes_or_examples_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        plot(architecture(), architecture(**changes))


def test_pictures_that_may_not_be_shown_leave_their_saliency():
    figure = plot(architecture("a", 0), architecture("b", 1), images=None)
    maps = np.reshape(figure.subfigs[1].axes, (2, -1))
    assert maps[0, 0].get_title(loc="left") == "ant"
    assert [axes.get_ylabel() for axes in maps[:, 0]] == ["a", "b"]
    assert all(len(axes.images) == 1 for axes in maps.flat)


def test_named_pairs_do_not_lie_on_each_other():
    """The three best pairs have one height in the second model; the fourth lies lower."""
    x = np.array([0.9, 0.8, 0.7, 0.6, 0.1])
    y = np.array([0.90, 0.89, 0.88, 0.5, 0.1])
    assert _pairs_to_name(x, y) == [0, 3, 4]
    assert _pairs_to_name(x[:0], y[:0]) == []
