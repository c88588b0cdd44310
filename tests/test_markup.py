"""How results show themselves in a notebook, read back as HTML."""

from html.parser import HTMLParser

import numpy as np

from jaxpath import markup, metrics, targets
from jaxpath.types import Pathway


class Reader(HTMLParser):
    """The texts of a table's cells by row, and the widths of its bars; fails on tags that do not close."""

    def __init__(self, source: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.widths: list[float] = []
        self.caption = ""
        self.open: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        style = dict(attributes).get("style") or ""
        if "%" in style:
            self.widths.append(float(style.split("width:")[1].split("%")[0]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "summary":
            self.caption = data
        else:
            self.rows[-1][-1] += data


def test_a_pathway_lists_its_sites_in_forward_order_with_their_open_share():
    masks = {
        "001.b": np.array([[1, 0, 0, 0], [1, 1, 0, 0]], np.float32),
        "000.a": np.array([[1, 1], [1, 1]], np.float32),
    }
    result = Reader(Pathway(masks, masks)._repr_html_())
    # 3 of 8 and 4 of 4 are open: 7 of 12.
    assert result.caption == "Pathways of 2 images: 58 % open"
    assert result.rows[1:] == [["000.a", "2", "100 %", ""], ["001.b", "4", "38 %", ""]]
    assert result.widths == [100.0, 37.5]


def test_a_class_pathway_and_one_of_units_say_what_they_are():
    channels = {"000.a": np.array([1, 0, 0, 1])}
    assert Reader(Pathway({}, channels)._repr_html_()).caption == "Class pathway: 50 % open"
    units = {"000.a": np.zeros((3, 2, 2, 4)), "001.b": np.ones((3, 5))}
    result = Reader(Pathway({}, units)._repr_html_())
    # 15 units of 48 + 15.
    assert result.caption == "Pathways of 3 images: 24 % open"
    assert [row[1] for row in result.rows[1:]] == ["2 x 2 x 4", "5"]


def test_a_target_lists_its_sites():
    result = Reader(targets.resnet8(image_size=8, channels=1)._repr_html_())
    assert result.caption == "resnet8: 10 classes, 7 sites, 240 channels"
    assert result.rows[1] == ["000.relu", "16", "8 x 8"]


def test_explained_images_show_their_means():
    records = metrics.Records(
        indices=np.arange(4),
        labels=np.array([0, 1, 1, 2]),
        predicted=np.array([0, 1, 1, 1]),
        masked_predicted=np.array([0, 1, 0, 0]),
        clean_confidence=np.full(4, 0.75),
        masked_confidence=np.full(4, 0.5),
        dead_share=np.zeros(4),
        masks=np.array([[1, 0], [1, 1], [0, 0], [1, 0]], bool),
        unit_density=np.zeros(4),
        unit_bits=np.zeros((4, 0), np.uint8),
    )
    result = Reader(records._repr_html_())
    assert result.caption == "4 explained images"
    assert [row[1] for row in result.rows[1:]] == [
        "75 %",
        "50 %",
        "0.750",
        "0.500",
        "50 %, from 0.000 to 1.000",
    ]


def test_overlaps_are_shown_per_class_and_a_class_without_pairs_has_none():
    result = Reader(
        metrics.class_similarity(np.array([[1, 1], [1, 0], [0, 1]]), np.array([0, 0, 1]), 3)._repr_html_()
    )
    # Class 0: IoU 1/2 within; with class 1, (1/2 + 0) / 2.
    assert result.rows[1:] == [["0", "0.500", "0.250"], ["1", "nan", "0.250"], ["2", "nan", "nan"]]


def test_text_is_escaped_and_a_long_table_is_folded():
    assert Reader(markup.table("a & b", ["<x>"], [["<y>"]])).rows == [["<x>"], ["<y>"]]
    rows = [[number] for number in range(100)]
    assert markup.table("few", ["n"], rows[:24]).startswith("<details open>")
    assert markup.table("many", ["n"], rows).startswith("<details>")
