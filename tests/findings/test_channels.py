import json

import numpy as np
import pytest

from jaxpath.findings import Pictures, Reference, Survey, load_words, strong_channels
from jaxpath.findings.channels import crop_at
from jaxpath.metrics import Records
from jaxpath.types import InputError, Site

SITES = (
    Site("000.a", 2, (8, 8)),
    Site("001.b", 3, (4, 4)),
    Site("002.c", 2, (2, 2)),
    Site("003.d", 2, None),
)
N = 9


def reference_of(peaks) -> Reference:
    """Pictures that are their own number in every pixel, with these strongest responses."""
    count = len(peaks)
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 3), np.uint8)
    empty = {name: np.zeros(count) for name in Records._fields}
    records = Records(**{**empty, "predicted": np.arange(count)})
    survey = Survey(
        records,
        np.arange(count),
        np.zeros((count, 2)),
        np.zeros((count, N)),
        peaks,
        np.zeros((count, N), int),
    )
    return Reference(Pictures(images, tuple(map(str, range(count))), np.zeros(count)), survey)


def strong(scores, **changes):
    values = {"mask": np.ones(N, bool), "peaks": np.ones(N), "places": np.zeros(N, int)}
    values |= {name: changes.pop(name) for name in values.keys() & changes.keys()}
    empty = {name: np.zeros(1) for name in Records._fields}
    records = Records(**{**empty, "masks": values["mask"][None]})
    rows = (np.asarray(array)[None] for array in (scores, values["peaks"], values["places"]))
    survey = Survey(records, np.zeros(1, int), np.zeros((1, 2)), *rows)
    arguments = {"sites": SITES, "reference": None} | changes
    return strong_channels(np.zeros((64, 64, 3), np.uint8), survey, **arguments)


def test_the_best_open_channels_that_respond_come_first_within_each_quarter_the_deepest_quarter_first():
    mask, peaks = np.ones(N, bool), np.ones(N)
    mask[1], peaks[6] = False, 0.0
    channels = strong([1, 9, 2, 4, 3, 5, 8, 7, 6], mask=mask, peaks=peaks)
    assert [(c.site.name, c.channel) for c in channels] == [
        *(("003.d", 0), ("003.d", 1)),
        ("002.c", 0),
        *(("001.b", 1), ("001.b", 2), ("001.b", 0)),
        ("000.a", 0),
    ]


def test_crops_are_of_the_reference_pictures_that_excite_the_channel_most():
    peaks = np.zeros((7, N))
    peaks[:, 0] = [3, 0, 8, 1, 4, 2, 5]
    (channel,) = strong([5, *[0] * 8], mask=np.eye(1, N, dtype=bool)[0], reference=reference_of(peaks))
    assert [crop.image.max() for crop in channel.crops] == [2, 6, 4, 0, 5]
    assert [crop.predicted for crop in channel.crops] == [2, 6, 4, 0, 5]
    assert channel.strength == pytest.approx(1 / 8)


def test_without_a_reference_there_are_no_crops_and_no_strength():
    assert {(c.crops, c.strength) for c in strong(range(N))} == {((), None)}


@pytest.mark.parametrize(
    ("site", "place", "rows", "columns"),
    [
        (Site("a", 1, (16, 16)), 0, (0, 25), (0, 25)),  # four positions are 25 pixels, pushed into the corner
        (Site("a", 1, (16, 16)), 7 * 16 + 15, (34, 59), (75, 100)),  # centre 46.875, at the right edge
        (Site("a", 1, (4, 4)), 5, (12, 62), (12, 62)),  # four positions are everything: half of the picture
        (Site("a", 1, None), 0, (0, 100), (0, 100)),
    ],
)
def test_a_crop_lies_around_the_strongest_response_and_inside_the_picture(site, place, rows, columns):
    image = np.stack(np.meshgrid(np.arange(100), np.arange(100), indexing="ij"), axis=-1).astype(np.uint8)
    crop = crop_at(image, place, site)
    assert (crop[0, 0, 0], crop[-1, 0, 0] + 1) == rows
    assert (crop[0, 0, 1], crop[0, -1, 1] + 1) == columns


def test_tiny_pictures_are_shown_whole():
    assert crop_at(np.zeros((8, 8, 1)), 3, Site("a", 1, (8, 8))).shape == (8, 8, 1)


def test_words_are_read_from_lists_from_numbers_and_from_arrays(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps({"000.a": ["fur", ""], "001.b": {"2": ["ear", "dog"]}}))
    words = load_words(path, SITES)
    assert words == {"000.a": {0: "fur"}, "001.b": {2: "ear, dog"}}
    np.savez(tmp_path / "words.npz", **{"002.c": np.array(["sky", "sea"])})
    assert load_words(tmp_path / "words.npz", SITES) == {"002.c": {0: "sky", 1: "sea"}}
    channels = strong(range(N), words=words)
    assert {(c.site.name, c.channel): c.words for c in channels if c.words} == {
        ("000.a", 0): "fur",
        ("001.b", 2): "ear, dog",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[1, 2]", "no words"),
        ('{"nowhere": ["a"]}', "names the site 'nowhere'"),
        ('{"000.a": {"5": "a"}}', "channels 5 to 5 of 000.a"),
        ('{"000.a": 3}', "no words"),
    ],
)
def test_words_that_fit_nothing_are_one_clear_error(tmp_path, text, message):
    (tmp_path / "words.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_words(tmp_path / "words.json", SITES)
    with pytest.raises(InputError, match="there is no file"):
        load_words(tmp_path / "other.json", SITES)
