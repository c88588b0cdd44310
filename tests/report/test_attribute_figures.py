"""What the figures of attributes show, read back from matplotlib's own objects."""

import numpy as np
import pytest
from drawn import check_drawn

from jaxpath.report import (
    AttributeView,
    plot_attributes,
    plot_conciseness,
    plot_global_relevance,
    plot_local_relevance,
)
from jaxpath.types import InputError


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def view(attribute, label, count=3, **changes):
    samples = np.full((count, 5, 6, 1), 9, np.uint8)
    return AttributeView(attribute, label, 0.75, samples, np.zeros((count, 5, 6, 1)))._replace(**changes)


def test_the_class_attribute_matrix_is_drawn_as_it_is():
    relevance = np.array([[1.0, -0.5, 0.0], [0.25, np.nan, 0.5]])
    figure = plot_global_relevance(relevance, ["cat", "$dog$"])
    shown = figure.axes[0].images[0]
    np.testing.assert_allclose(np.ma.filled(shown.get_array(), np.nan), relevance)
    assert shown.get_clim() == (-1, 1)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", r"\$dog\$"]


@pytest.mark.parametrize("num_views", [1, 3])
def test_every_attribute_has_its_samples_and_as_many_maximised_pictures(num_views, tmp_path):
    figure = plot_attributes([view(j, 1) for j in range(num_views)], ["a", "b"])
    assert sum(len(axes.images) for axes in figure.axes) == 6 * num_views
    words = texts(figure)
    assert "attribute 0" in words and "class b\nr = 0.75" in words
    assert words.count("most activating") == min(2, num_views)
    check_drawn(figure, tmp_path / "a.png", num_axes=7 * num_views)  # a note and six images


def test_the_samples_stand_before_the_pictures_made_from_them():
    one = view(4, 0, count=1, maximised=np.full((1, 5, 6, 1), 0.5))
    axes = [axes for axes in plot_attributes([one]).axes if axes.images]
    assert [float(a.images[0].get_array().max()) for a in axes] == [9.0, 0.5]


def test_views_with_different_numbers_of_images_are_refused():
    with pytest.raises(InputError, match=r"\[2, 3\] images each"):
        plot_attributes([view(0, 0), view(1, 0, count=2)])
    with pytest.raises(InputError, match="one number"):
        plot_attributes([])


def local(**changes):
    arguments = {"labels": [0, 1], "predicted": [0, 1], "guessed": [0, 1], "class_names": ["cat", "dog"]}
    relevance = np.array([[0.1, -1.0, 0.5], [1.0, 0.0, 0.2]])
    return plot_local_relevance(np.zeros((2, 4, 4, 3), np.uint8), relevance, **(arguments | changes))


def test_the_bars_of_a_decision_are_its_attributes_by_size():
    bars = local().axes[1]
    assert [bar.get_width() for bar in bars.patches] == [-1.0, 0.5, 0.1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["1", "2", "0"]
    assert bars.get_ylim()[0] > bars.get_ylim()[1]  # the largest on top


def test_a_decision_that_the_attributes_do_not_share_is_flagged_and_a_wrong_one_named():
    assert "flagged: dog\nattributes: cat" in texts(local(guessed=[0, 0]))
    assert "dog, is cat" in texts(local(labels=[0, 0]))


def test_conciseness_is_a_line_per_run():
    figure = plot_conciseness({"with": {1.5: 1.0, 5.0: 1.2}, "without": {1.5: 1.6, 5.0: 4.2}})
    lines = figure.axes[0].get_lines()
    assert [line.get_ydata().tolist() for line in lines] == [[1.0, 1.2], [1.6, 4.2]]
    assert {"with", "without"} <= set(texts(figure))
