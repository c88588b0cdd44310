"""What the figures show, read back from matplotlib's own objects."""

import numpy as np
import pytest
from drawn import check_drawn

from jaxpath.report import (
    Captions,
    plot_class_pathways,
    plot_density_per_site,
    plot_iou_matrix,
    plot_pathway,
    plot_pathways,
)
from jaxpath.types import InputError, Site

SITES = (
    Site("000.relu", 2, (4, 4)),
    Site("001.layer1.0.relu1", 4, (4, 4)),
    Site("002.layer1.0.relu2", 100, (2, 2)),
    Site("003.classifier.1", 3, None),
)
ODD_NAMES = ("<b>bold</b> & co", "$100 and $200", "two\nlines", "", "a" * 200, r"\frac{1}{2}", "50 % {x} _^")


def random_masks(num_images: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {s.name: generator.integers(0, 2, (num_images, s.channels)).astype(np.float32) for s in SITES}


def captions_of(num_images: int, **changes) -> Captions:
    zeros = [0] * num_images
    return Captions(zeros, zeros, [0.9] * num_images, [0.8] * num_images)._replace(**changes)


def pathways_of(num_images: int, *, class_names=None, title="", **changes):
    images = np.zeros((num_images, 5, 6, 3), np.uint8)
    captions = captions_of(num_images, **changes)
    return plot_pathways(
        images, random_masks(num_images), SITES, captions, class_names=class_names, title=title
    )


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def cells(axes) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in axes.images]


def test_a_pathway_has_a_column_per_site_and_its_densities_above():
    masks = {name: mask[0] for name, mask in random_masks(1).items()}
    densities, columns = plot_pathway(masks, SITES).axes
    heights = [bar.get_height() for bar in densities.patches]
    np.testing.assert_allclose(heights, [masks[site.name].mean() for site in SITES], rtol=1e-6)
    assert [cell.shape for cell in cells(columns)] == [(2, 1), (4, 1), (64, 1), (3, 1)]
    np.testing.assert_array_equal(cells(columns)[1][:, 0], masks["001.layer1.0.relu1"])


def test_cells_of_a_wide_site_keep_its_density():
    masks = {name: mask[0] for name, mask in random_masks(1).items()}
    masks["002.layer1.0.relu2"] = np.repeat([1.0, 0.0], 50)
    wide = cells(plot_pathway(masks, SITES).axes[1])[2]
    assert wide.max() == 1 and wide.min() == 0
    np.testing.assert_allclose(wide.mean(), 0.5, atol=1 / 64)


def test_unit_masks_are_shown_as_the_open_share_of_each_channel():
    masks = {name: mask[0] for name, mask in random_masks(1).items()}
    masks["000.relu"] = np.stack([np.ones((4, 4)), np.eye(4)], axis=-1)
    column = cells(plot_pathway(masks, SITES).axes[1])[0]
    np.testing.assert_allclose(column[:, 0], [1.0, 0.25])


@pytest.mark.parametrize("num_images", [1, 2, 5])
def test_each_image_has_its_picture_its_pathway_and_its_confidences(num_images):
    figure = pathways_of(num_images)
    assert len(figure.axes) == 3 * num_images
    assert [len(axes.images) for axes in figure.axes] == [1, len(SITES), 0] * num_images


def test_channels_are_ordered_alike_for_all_images_by_how_often_they_are_open():
    masks = random_masks(3)
    masks["001.layer1.0.relu1"] = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 1, 1]], np.float32)
    images = np.zeros((3, 5, 6, 1), np.float32)
    figure = plot_pathways(images, masks, SITES, captions_of(3))
    shown = [cells(figure.axes[3 * i + 1])[1][:, 0].tolist() for i in range(3)]
    assert shown == [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]  # channels 2, 1, 3, 0


def test_a_wrong_prediction_says_both_classes():
    assert "predicted cat, is dog" in texts(
        pathways_of(1, labels=[1], predictions=[0], class_names=["cat", "dog"])
    )


def test_confidences_are_the_lengths_of_the_bars():
    bars = pathways_of(1, clean=[0.75], masked=[0.25]).axes[2].patches
    assert [bar.get_width() for bar in bars] == [1, 1, 0.75, 0.25]  # two empty bars behind


def test_class_pathways_have_a_row_per_class_and_leave_absent_classes_white():
    frequencies = {c: {s.name: np.full(s.channels, c / 4) for s in SITES} for c in (1, 3)}
    frequencies[2] = {s.name: np.full(s.channels, np.nan) for s in SITES}
    figure = plot_class_pathways(frequencies, SITES, ["a", "b", "c", "d"])
    first = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ma.filled(first, np.nan), [[0.25] * 2, [0.75] * 2, [np.nan] * 2])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "d", "c"]


def test_the_overlaps_stand_beside_the_class_pathways():
    frequencies = {c: {s.name: np.ones(s.channels) for s in SITES} for c in range(2)}
    overlaps = np.array([[0.9, 0.25], [0.25, np.nan]])
    figure = plot_class_pathways(frequencies, SITES, iou=overlaps)
    assert {".90", ".25"} <= set(texts(figure))
    np.testing.assert_allclose(np.ma.filled(cells_of_matrix(figure), np.nan), overlaps, rtol=1e-6)


def cells_of_matrix(figure) -> np.ma.MaskedArray:
    return next(axes.images[0].get_array() for axes in figure.axes[1:] if len(axes.images) == 1)


def test_density_per_site_spans_the_middle_of_the_images():
    masks = random_masks(11)
    masks["001.layer1.0.relu1"] = np.zeros((11, 4), np.float32)
    masks["001.layer1.0.relu1"][5:] = 1
    axes = plot_density_per_site(masks, SITES).axes[0]
    assert axes.patches[1].get_height() == pytest.approx(6 / 11)
    low, high = axes.collections[0].get_segments()[1][:, 1]
    assert (low, high) == (0, 1)


def test_odd_class_names_are_drawn_as_they_stand(tmp_path):
    num = len(ODD_NAMES)
    frequencies = {c: {s.name: np.ones(s.channels) for s in SITES} for c in range(num)}
    figures = {
        "images": pathways_of(num, labels=range(num), class_names=ODD_NAMES, title=ODD_NAMES[1]),
        "classes": plot_class_pathways(frequencies, SITES, ODD_NAMES, iou=np.eye(num)),
        "overlaps": plot_iou_matrix(np.eye(num), ODD_NAMES),
    }
    # Three for each image; a matrix beside the classes; and a bar of colours in the last two.
    num_axes = {"images": 3 * num, "classes": 3, "overlaps": 2}
    for name, figure in figures.items():
        check_drawn(figure, tmp_path / "new" / f"{name}.png", num_axes=num_axes[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_pathway({}, SITES), "000.relu"),
        (lambda: plot_density_per_site(random_masks(2) | {"000.relu": np.ones((2, 3))}, SITES), r"\(2, 3\)"),
        (lambda: pathways_of(2, clean=[0.5]), "'clean': 1"),
        (lambda: plot_iou_matrix(np.ones((2, 3))), r"expected \(2, 2\)"),
    ],
)
def test_mismatched_input_is_one_clear_error(call, message):
    with pytest.raises(InputError, match=message):
        call()
