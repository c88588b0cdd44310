"""The report on pictures file by file: what is where, what is linked, and that no picture is there twice."""

import re
from collections import Counter

import numpy as np
import pytest
from made_up import NASTY, SITES, assessment, finding, setting
from test_pages import Page

from jaxpath import attributions
from jaxpath.choices import ATTRIBUTIONS
from jaxpath.findings import Neighbour, StrongChannel, Thumbnail, Word
from jaxpath.findings.profiles import ChannelProfile, ClassShare, Companion, Excitation
from jaxpath.report import channel_file, channel_page, image_page, image_pages
from jaxpath.report.picture_pages import MAPS


def photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def photo_finding(seed: int = 0, **changes):
    """A photograph with one reference picture that is shown in four places."""
    thumbnail = Thumbnail(photo(99), "reference.jpg", 1)
    crop = Thumbnail(photo(99)[:24, :24], "reference.jpg", 1)
    channel = StrongChannel(SITES[1], 2, 1.25, 0.5, Word("fur"), photo(seed)[:24, :24], (crop, crop))
    values = {
        "image": photo(seed),
        "assessment": assessment(name=f"folder/{seed}.jpg"),
        "saliency": np.random.default_rng(seed).random((2, 96, 96)),
        "channels": (channel,),
        "examples": (thumbnail,),
        "same": (Neighbour(thumbnail, 0.6),),
        "others": (Neighbour(thumbnail, 0.2),),
        **changes,
    }
    return finding(**values)


def pages_of(count: int, **options) -> dict[str, str]:
    findings = [photo_finding(seed) for seed in range(count)]
    assessments = [f.assessment for f in findings]
    return dict(image_pages(findings, setting(), assessments=assessments, **options))


def test_every_picture_is_in_the_file_once_and_photographs_are_jpeg():
    html = image_page([photo_finding()], setting())
    jpegs = Counter(re.findall(r"data:image/jpeg;base64,[\w+/=]+", html))
    # The picture, two maps, the part of it that excites the channel, the reference picture and a part of it.
    assert set(jpegs.values()) == {1} and len(jpegs) == 6
    # Cells of channels are the only pictures that must be exact.
    cells = html.count('class="cells"')
    assert html.count("data:image/png") == cells == 2 * len(SITES)
    page = Page(html)
    assert page.tags.count("use") == 2 + 3 + 2
    names = {value for name, value in page.attributes if name == "id"}
    uses = {value for name, value in page.attributes if name == "href" and value != "data:,"}
    assert {use.removeprefix("#") for use in uses if use.startswith("#p")} <= names


def test_up_to_ten_pictures_are_one_page_and_of_more_each_has_its_own():
    assert list(pages_of(10)) == ["report.html"]
    pages = pages_of(11)
    assert list(pages) == ["report.html", *(f"pictures/{n:03d}.html" for n in range(1, 12))]
    links = [value for name, value in Page(pages["report.html"]).attributes if name == "href"]
    assert [link for link in links if link != "data:,"] == list(pages)[1:]
    second = [value for name, value in Page(pages["pictures/002.html"]).attributes if name == "href"]
    assert [link for link in second if link.endswith(".html")] == ["../report.html", "001.html", "003.html"]
    first, last = (pages[f"pictures/{n:03d}.html"] for n in (1, 11))
    assert "000.html" not in first and "012.html" not in last
    assert "Picture 2 of 11" in Page(pages["pictures/002.html"]).text


def test_twelve_photographs_stay_below_three_megabytes():
    """Of the size and with the number of pictures that ResNet-18 has, of noise: JPEG can save nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 224, 224, 3), dtype=np.uint8)
    smooth = (noise[:, ::8, ::8].repeat(8, 1).repeat(8, 2) // 2 + noise // 8).astype(np.uint8)

    def part(image):
        return image[80:136, 80:136]

    def one(seed):
        rows = [Thumbnail(smooth[(seed + i) % 40], "r.jpg", 1) for i in range(18)]
        crops = [
            tuple(Thumbnail(part(smooth[(seed + 5 * c + i) % 40]), "r.jpg", 1) for i in range(5))
            for c in range(12)
        ]
        channels = tuple(
            StrongChannel(SITES[1], c, 1.0, 0.5, Word(), part(smooth[seed]), crops[c]) for c in range(12)
        )
        return photo_finding(
            seed,
            image=smooth[seed],
            saliency=np.ones((2, 224, 224)),
            channels=channels,
            examples=tuple(rows[:6]),
            probabilities=(0.5,) * 6,
            same=tuple(Neighbour(row, 0.5) for row in rows[6:12]),
            others=tuple(Neighbour(row, 0.5) for row in rows[12:]),
        )

    findings = [one(seed) for seed in range(12)]
    pages = image_pages(findings, setting(), assessments=[f.assessment for f in findings])
    assert sum(len(html) for _, html in pages) < 3e6


def test_pictures_say_what_they_are_to_who_does_not_see_them():
    page = Page(image_page([photo_finding()], setting(class_names=("cat", "dog"))))
    said = [value for name, value in page.attributes if name in ("alt", "aria-label")]
    assert "part of a reference picture, dog, that excites channel 2 of 001.layer1.0.relu1" in said
    assert "001.layer1.0.relu1: 1 of 100 channels open" in said and "" not in said


def test_maps_of_any_attribution_stand_beside_the_gradient():
    assert tuple(MAPS) == ATTRIBUTIONS == attributions.names()
    maps = tuple((name, np.ones((96, 96))) for name in ("gradcam", "lrp_composite"))
    text = Page(image_page([photo_finding(maps=maps)], setting())).text
    assert "whole network (Grad-CAM) whole network (LRP (composite rules))" in text


def test_a_word_that_chance_gives_as_well_is_grey_and_says_so():
    def shown(word):
        channel = StrongChannel(SITES[1], 2, 1.25, None, word, photo(0), ())
        return image_page([photo_finding(channels=(channel,))], setting())

    by_chance = shown(Word("fur", score=3.25, chance=0.4))
    assert '<p class="words chance">' in by_chance
    assert "“fur” similarity 3.25, chance 40 %: says nothing" in Page(by_chance).text
    meant = shown(Word("fur", score=3.25, chance=0.05))
    assert '<p class="words">' in meant and "chance 5.0 %: says" not in Page(meant).text
    assert "The chance of a word is the share of random orders" in Page(meant).text
    by_hand = Page(shown(Word("fur"))).text
    assert "“fur” score 1.25" in by_hand and "chance of a word" not in by_hand


def profile(**changes) -> ChannelProfile:
    row = Excitation(Thumbnail(photo(1), NASTY, 1), Thumbnail(photo(1)[:30, :30], NASTY, 1), 2.5)
    values = {
        "site": SITES[1],
        "channel": 2,
        "words": Word("fur", score=3.25, chance=0.05, following=(("sky", 2.5), (NASTY, 1.0))),
        "num_pictures": 4,
        "responses": np.arange(4.0),
        "edges": np.arange(4.0),
        "counts": np.ones(3, int),
        "silent": 0.25,
        "kept": 0.5,
        "strongest": (row, row),
        "random": (),
        "classes": (ClassShare(1, 4, 1.5, 0.5),),
        "keepers": (ClassShare(0, 3, 0.5, 0.75),),
        "companions": (
            Companion(SITES[0], 1, 0.75, Word("sky", chance=0.5)),
            Companion(SITES[2], 3, -0.5, Word("sea")),
        ),
    }
    return ChannelProfile(**{**values, **changes})


def test_a_channel_has_its_word_with_the_next_ones_and_leads_to_its_report_and_companions():
    pages = {("000.relu", 1): "../channels/000-1.html"}
    page = Page(channel_page(profile(), setting(), back="../report.html", pages=pages))
    assert "It is said to stand for “fur” (similarity 3.25, chance 5.0 %)." in page.text
    assert f"The next words: sky 2.5, {NASTY} 1" in page.text
    links = [value for name, value in page.attributes if name == "href" and value.endswith(".html")]
    assert links == ["../report.html", "../channels/000-1.html"]
    assert "sky (no better than chance) 002.classifier.1" in page.text
    assert "keep it most often are those of dog (75 % of 3)." in page.text
    alone = channel_page(profile(words=Word("fur", score=3.25, chance=0.5)), setting())
    assert "No word says anything of it" in Page(alone).text and "report.html" not in alone


def test_channels_of_a_report_lead_to_their_pages():
    file = channel_file(SITES, SITES[1], 2)
    assert file == "channels/001-2.html"
    pages = pages_of(1, channel_pages={("001.layer1.0.relu1", 2): file})
    assert f'<a href="{file}">001.layer1.0.relu1 · channel 2</a>' in pages["report.html"]
    apart = pages_of(11, channel_pages={("001.layer1.0.relu1", 2): file})
    assert f'<a href="../{file}">' in apart["pictures/007.html"]


@pytest.mark.parametrize("name", ["report.html", "pictures/003.html"])
def test_pages_of_a_report_run_no_script_and_load_nothing(name):
    page = Page(pages_of(11)[name])
    assert "script" not in page.tags and page.tags.count("main") == page.tags.count("nav") == 1
    for attribute, value in page.attributes:
        if attribute in ("src", "href"):
            assert re.fullmatch(r"data:.*|#[\w-]+|(\.\./)?[\w/]+\.html", value), value
