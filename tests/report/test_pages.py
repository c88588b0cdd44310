"""Pages read back with a parser: what they say, and that they load and run nothing."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_up import NASTY, SITES, N, assessment, controls, data_set, finding, picture, setting
from PIL import Image

from jaxpath.findings import ClassWords, WordComparison, WordShare
from jaxpath.report import OverviewRow, class_words_page, data_set_page, image_page, write_page
from jaxpath.report.columns import image_columns
from jaxpath.types import Site

ABSENT = controls(alone=0.0)

VOID = {"meta", "link", "img", "br", "circle"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; every element must be closed in order."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def row(name: str) -> OverviewRow:
    return OverviewRow(assessment(name=name), "#picture-1")


def data_page(pathways, **changes) -> str:
    count = len(pathways.outliers)
    return data_set_page(
        pathways, setting(**changes), title=NASTY, thumbnails=[picture()] * count, image_names=[NASTY] * count
    )


def class_words() -> list[ClassWords]:
    """Two classes whose words hold HTML, and one that is alone."""
    share = WordShare(NASTY, 3, 7)
    beside = WordComparison((share,), (), (WordShare("whiskers", 1, 2),))
    return [
        ClassWords(0, 12, (share,), 1, 0.625, beside),
        ClassWords(1, 1, (), 0, 0.625, beside),
        ClassWords(7, 5, (), None, float("nan"), None),
    ]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    rows = [row(NASTY), row("b.png")]
    return {
        "images": image_page(
            [finding(), finding(assessment=assessment({"zero": ABSENT}, alone_predicted=0))],
            setting(),
            overview=rows,
        ),
        "data set": data_page(data_set(40)),
        "class words": class_words_page(class_words(), setting(), total=40),
    }


@pytest.mark.parametrize("name", ["images", "data set", "class words"])
def test_a_page_runs_no_script_and_loads_nothing(pages, name):
    page = Page(pages[name])
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    for attribute, value in page.attributes:
        assert not attribute.startswith("on")
        if attribute in ("src", "href"):
            assert re.match(r"data:|#", value), value
    policies = [value for attribute, value in page.attributes if attribute == "content"]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in policies
    assert "@import" not in pages[name] and "url(" not in pages[name]


@pytest.mark.parametrize("name", ["images", "data set", "class words"])
def test_names_that_hold_html_are_shown_as_text(pages, name):
    page = Page(pages[name])
    assert NASTY in page.text
    assert "alert(1)</script>" not in pages[name]


def test_the_picture_is_named_by_its_file_and_the_words_of_channels_are_shown(pages):
    text = Page(pages["images"]).text
    assert f"“{NASTY}”" in text
    assert "001.layer1.0.relu1 · channel 2" in text and "50 % of its strongest reference response" in text


def test_classes_in_words_say_how_many_channels_and_what_the_nearest_class_has(pages):
    page = Page(pages["class words"])
    assert page.tags.count("section") == 3 and "nan" not in page.text.lower().replace(NASTY.lower(), "")
    assert "Open in “dog”, more than in other classes" in page.text and "3 of 7" in page.text
    assert "both open 0.62 (IoU)" in page.text and "whiskers 1 of 2" in page.text
    assert "40 of whose 107 channels have words" in page.text
    assert "Open in “class 7” none" in page.text


def test_a_pathway_is_put_into_words_beside_its_class(pages):
    assert "The pathway in words" not in pages["images"]
    words, beside = class_words()[0].words, class_words()[0].beside
    text = Page(image_page([finding(words=words, beside_class=beside)], setting())).text
    assert "The pathway in words" in text and "more than the pathways of other classes do" in text
    assert "only for this picture none only for the class whiskers 1 of 2" in text
    text = Page(image_page([finding(words=words, class_pathway=None)], setting())).text
    assert "more than chance would" in text and "only for" not in text


def test_the_page_begins_with_what_to_conclude_and_lists_it_for_every_picture(pages):
    page = Page(pages["images"])
    assert (
        "with probability 0.75. These channels carry this decision. With only the pathway open (1.9 %"
        in page.text
    )
    assert "it says “dog” and gives" in page.text and "2 of 107 channels are open" in page.text
    # Twice in the list, above the picture, and in how to read it.
    assert page.text.count("carries this decision") == 4
    assert "what to conclude" in page.text


def test_controls_stand_side_by_side_under_both_ablations(pages):
    text = Page(pages["images"]).text
    assert "closed channels are 0 closed channels hold their mean" in text
    assert "all but as many random channels 0.60 [0.55, 0.65] 0.60 [0.55, 0.65]" in text


def test_the_pathway_of_the_class_is_shown_beside_the_pictures_own():
    made = assessment()
    both = made._replace(class_measured=made.measured, class_judgement=made.judgement)
    text = Page(image_page([finding(assessment=both)], setting())).text
    assert "on this picture: carries this decision" in text
    assert "on this picture" not in Page(image_page([finding()], setting())).text


def test_densities_of_units_are_not_called_densities_of_channels():
    text = Page(image_page([finding(assessment=assessment(density=0.004))], setting())).text
    assert "With only the pathway open (0.4 % of its units)" in text
    assert "2 of 107 channels are open somewhere, 0.4 % of the units" in text


def test_one_picture_needs_no_list_and_several_are_listed_without_their_common_folder():
    assert '<th scope="col">picture</th>' not in image_page(
        [finding()], setting(), overview=[row("a/b/c.png")]
    )
    page = Page(image_page([finding()], setting(), overview=[row("/a/b/c.png"), row("/a/d/c.png")]))
    assert "b/c.png" in page.words and "d/c.png" in page.words
    assert "The first 1 pictures are shown in full" in page.text


def test_a_finding_without_reference_class_pathway_or_responding_channels_is_a_page():
    bare = finding(class_pathway=None, channels=(), examples=(), probabilities=(), same=(), others=())
    text = Page(image_page([bare], setting(reference=""))).text
    assert "No open channel responds to this picture." in text
    assert "nan" not in text.lower().replace(NASTY.lower(), "")


def test_every_channel_is_one_cell_coloured_by_whether_the_class_has_it_too():
    mask, shared = np.zeros(N, bool), np.zeros(N, bool)
    mask[[0, 1]] = shared[[1, 2]] = True
    mask[3 + 99] = True  # the last channel of the second site: second column, 36th row
    columns = image_columns(mask, SITES, shared.astype(float), shared)
    first, second, third = (np.asarray(opened(column.cells)) for column in columns)
    alone, both, closed = (0xD1, 0x66, 0x0C), (0x0B, 0x4F, 0x8A), (0xE9, 0xEC, 0xEF)
    assert [tuple(pixel) for pixel in first[:, 0]] == [alone, both, closed]
    assert second.shape == (64, 2, 3) and tuple(second[35, 1]) == alone
    assert (second[36:, 1] == 255).all()  # there are no such channels
    assert third.shape == (4, 1, 3)
    assert [column.open for column in columns] == [2, 1, 0]
    assert [column.class_open for column in columns] == [2, 0, 0]
    assert [tuple(p) for p in np.asarray(opened(columns[0].class_cells))[:, 0]] == [closed, both, both]


def opened(uri: str) -> Image.Image:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def test_the_page_of_a_data_set_has_a_point_per_image_and_a_cell_per_pair_of_classes(pages):
    page = Page(pages["data set"])
    assert page.tags.count("circle") == 40
    assert pages["data set"].count('<td style="background') == 9
    assert "70 % came out as the pathway's class, 10 % kept their own" in page.text
    assert "1 sites have the same gates" in page.text


def test_many_classes_are_a_picture_instead_of_a_table():
    html = data_page(data_set(90, classes=30), class_names=())
    assert '<td style="background' not in html and 'class="big"' in html
    assert "class 29" in Page(html).text


def test_a_data_set_of_one_image_per_class_has_no_overlap_within_classes_and_no_outliers():
    pathways = data_set(4, classes=4)
    alone = {**pathways.metrics, "aciou": float("nan"), "iou_gap": float("nan"), "leakage": float("nan")}
    text = Page(data_page(pathways._replace(metrics=alone))).text
    assert "nan" not in text.lower() and "No class has five images or more" in text


def test_the_page_of_a_thousand_images_stays_below_five_megabytes():
    assert len(data_page(data_set(1000, 688, classes=10), sites=(Site("000.a", 688, None),))) < 1e6


def test_a_page_is_written_as_utf8_into_a_new_folder(tmp_path):
    path = write_page("“ü”", tmp_path / "new" / "page.html")
    assert path.read_bytes() == "“ü”".encode()
