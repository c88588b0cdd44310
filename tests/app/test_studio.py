"""What the page asks is what reports say, and masks are data."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxpath import cli
from jaxpath.app import studio as studio_module
from jaxpath.app.lines import python_lines
from jaxpath.app.side_by_side import side_by_side
from jaxpath.app.state import Shown, State, decode_mask, encode_mask, number_in, share_in, shown_by
from jaxpath.findings.measuring import Extent
from jaxpath.pathways import offsets
from jaxpath.types import InputError


def as_png(image):
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_cut_is_assessed_as_jaxpath_explain_does(studio, weights, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "digit.png").write_bytes(as_png(digits.images[3]))
    out = tmp_path / "report"
    cli.main(
        [
            *("explain", str(tmp_path / "digit.png"), "--weights", str(weights), "--density", "0.3"),
            *("--reference", "digits", "--out", str(out)),
        ]
    )
    (expected,) = json.loads((out / "results.json").read_text())["pictures"]
    look = studio.look(studio.read(tmp_path / "digit.png"))
    mask = studio.cut(look, 0.3)
    np.testing.assert_array_equal(mask, np.load(out / "pathway.npz")["masks"][0])
    assessment = studio.assess(look, mask)
    shown = assessment.as_row()
    for name in ("predicted", "probability", "density"):
        assert shown[name] == pytest.approx(expected[name], abs=1e-6)
    # Pictures of other classes are drawn from a reference that holds more of the classes in question.
    for ablation in ("zero", "mean"):
        for name in ("alone", "closed", "random_alone", "random_closed", "blank_pictures"):
            assert shown[ablation][name] == pytest.approx(expected[ablation][name], abs=1e-5), name


def test_figures_of_a_moving_slider_are_those_of_the_verdict(studio):
    look = studio.look(studio.from_reference(0))
    mask = studio.cut(look, 0.25)
    quick, full = studio.measure(look, mask), studio.assess(look, mask).measured
    for ablation, controls in quick.controls.items():
        for name in ("alone", "closed", "blank_pictures"):
            assert getattr(controls, name) == pytest.approx(getattr(full.controls[ablation], name), abs=1e-6)
        assert controls.random_alone.runs == 0 and controls.other_pictures.runs == studio_module.QUICK.foreign
    assert Extent() == (8, 16)


def test_another_mask_compiles_nothing(studio):
    import jax

    look = studio.look(studio.from_reference(1))
    for density in (0.2, 0.4):
        studio.assess(look, studio.cut(look, density))
        studio.measure(look, studio.cut(look, density))
    compiled = []

    def note(name, *_, **__):
        if "backend_compile" in name:
            compiled.append(name)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        for density in (0.1, 0.31, 0.77):
            look = studio.look(studio.from_reference(int(10 * density)))
            mask = studio.cut(look, density)
            mask[:5] = ~mask[:5]
            studio.measure(look, mask)
            studio.assess(look, mask)
    finally:
        jax.monitoring.clear_event_listeners()
    assert compiled == []


def test_channels_closed_by_hand_beside_as_many_random_ones_of_the_pathway(studio):
    look = studio.look(studio.from_reference(2))
    start = studio.cut(look, 0.5)
    mask = start.copy()
    mask[np.flatnonzero(start)[-6:]] = False
    drawn = studio._drawn_within(start, start & ~mask)
    edges = offsets(studio.target.sites)[1:]
    for row in drawn:
        assert not (row & ~start).any()
        for given, closed in zip(np.split(start & ~mask, edges), np.split(start & ~row, edges), strict=True):
            assert given.sum() == closed.sum()
    controls = studio.beside_random(look, start, mask)
    alone = studio.measure(look, mask).controls
    for ablation, control in controls.items():
        assert control.by_hand == pytest.approx(alone[ablation].alone.probability, abs=1e-6)
        assert control.random.runs == len(drawn)


def test_a_pathway_is_put_on_another_picture(studio):
    look = studio.look(studio.from_reference(0))
    mask = studio.cut(look, 0.3)
    other = studio.put_on(look, mask, studio.from_reference(5))
    assert other.label == look.label
    np.testing.assert_array_equal(other.survey.scores, look.survey.scores)
    assert int(other.survey.records.predicted[0]) == int(studio.reference.survey.records.predicted[5])


def test_explainers_side_by_side_are_those_that_can_be_asked(studio):
    look = studio.look(studio.from_reference(0))
    rows = side_by_side(studio, look, 0.3)
    assert [row.name for row in rows] == list(studio.explainers)
    assert rows[0].iou == 1.0 and all(0 <= row.iou < 1 for row in rows[1:])
    shown = studio.measure(look, studio.cut(look, 0.3)).controls["zero"]
    assert rows[0].measured.controls["zero"].alone == pytest.approx(shown.alone)
    other = studio.look(studio.from_reference(0), "taylor", label=(look.label + 1) % 10)
    assert {row.name for row in side_by_side(studio, other, 0.3)} == {
        "taylor_signed",
        "taylor",
        "integrated_gradients",
    }


def test_another_class_rather_than_a_third_one(studio):
    look = studio.look(studio.from_reference(0), "taylor_signed", label=5, against=2)
    assert (look.label, look.against) == (5, 2)
    logits = look.survey.logits[0].astype(float)
    assert look.clean == pytest.approx(1 / (1 + np.exp(logits[2] - logits[5])))
    for wrong in ({"label": 3, "against": 3}, {"explainer": "random", "label": 3}, {"explainer": "nobody"}):
        with pytest.raises(InputError):
            studio.look(studio.from_reference(0), **wrong)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"<svg/>",
        b"\0" * 4096,
        as_png(np.zeros((4, 4, 1), np.uint8))[:40],
    ],
)
def test_what_is_no_picture_is_one_sentence(studio, content):
    with pytest.raises(InputError) as caught:
        studio.read(content, "<b>x</b>.png")
    assert "\n" not in str(caught.value)


def test_a_report_of_exactly_what_is_shown(studio):
    look = studio.look(studio.from_reference(4))
    mask = studio.cut(look, 0.4)
    mask[np.flatnonzero(mask)[:3]] = False
    finding = studio.finding(look, mask)
    np.testing.assert_array_equal(finding.mask, mask)
    page, results = studio.page(look, finding, by_hand=True), studio.results(look, finding, by_hand=True)
    assert results["pictures"][0]["density"] == pytest.approx(mask.mean(), abs=1e-6)
    assert "edited by hand" in results["method"] and "edited by hand" in page
    shown, verdict = studio.assess(look, mask), results["pictures"][0]
    assert verdict["verdict"] == shown.judgement.verdict
    assert verdict["zero"]["alone"] == pytest.approx(shown.measured.controls["zero"].alone.probability)


def test_a_state_is_turned_undone_and_linked(studio):
    look = studio.look(studio.from_reference(3))
    mask = studio.cut(look, 0.3)
    state = State(look, Shown(mask, mask, 0.3), 3)
    cut = {"explainer": look.explainer, "class": str(look.label), "picture": "3", "density": "0.300"}
    assert state.link() == cut
    state.turn(np.array([0]))
    assert state.mask[0] != mask[0] and state.shown.by_hand
    back = shown_by(state.link(), len(mask))
    np.testing.assert_array_equal(back.mask, state.mask)
    np.testing.assert_array_equal(back.start, mask)
    assert back.density == 0.3
    assert state.undo() and state.link() == cut and not state.undo()
    # Moves of the slider in a row are undone together, with the slider.
    for density in (0.4, 0.5, 0.6):
        state.slide(studio.cut(look, density), density)
    state.take(studio.cut(look, 0.7))
    assert "open" in state.link() and "start" not in state.link()
    assert state.undo() and state.shown.density == 0.6
    assert state.undo() and state.link() == cut


def test_a_held_pathway_is_linked_and_written_as_what_it_is(studio, options):
    look = studio.look(studio.from_reference(0))
    mask = studio.cut(look, 0.3)
    other = studio.put_on(look, mask, studio.from_reference(5))
    state = State(other, Shown(mask, mask, 0.3), 5, held=True)
    expected = studio.assess(other, mask)
    link = state.link()
    again = studio.look(
        studio.from_reference(int(link["picture"])), link["explainer"], label=int(link["class"])
    )
    shown = shown_by(link, len(mask))
    for ablation, controls in studio.assess(again, shown.mask).measured.controls.items():
        for name, control in controls._asdict().items():
            same = getattr(expected.measured.controls[ablation], name)
            assert control.probability == pytest.approx(same.probability, abs=1e-6), name
    names = {}
    exec(python_lines(options(), state), names)
    assert names["assessment"].judgement.verdict == expected.judgement.verdict
    assert names["look"].label == look.label


def test_what_an_address_asks_wrongly_is_one_sentence(studio):
    mask = np.ones(240, bool)
    with pytest.raises(InputError, match="another classifier"):
        decode_mask(encode_mask(mask), 340)
    for wrong in ("-1", "x", "12", "9" * 5000):
        with pytest.raises(InputError, match="a number from 0 to 11"):
            number_in({"picture": wrong}, "picture", below=12)
    for wrong in ("1.5", "nan", "x"):
        with pytest.raises(InputError, match="a number from 0 to 1"):
            share_in({"density": wrong})
