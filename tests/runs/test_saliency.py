"""Whether saliency points at the objects: against NumPy, on digits with boxes for some."""

from pathlib import Path

import jax
import numpy as np
import pytest

from jaxpath import data, devices, explainers, metrics, targets
from jaxpath.runs import boxes, saliency

BOXED = (1, 2, 4)


@pytest.fixture
def localised():
    """What is said of five digits of which three have a box, their maps, and the boxes' masks."""
    source = data.Subset(data.digits("test"), range(5))
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    session = metrics.Session(target, params, devices.make_mesh(jax.devices()[:1]), 4)
    known = [np.array([[1, 2, 5, 6 + i % 2]]) if i in BOXED else np.zeros((0, 4), int) for i in range(5)]
    method = metrics.Method.of(
        "signed Taylor", explainers.make_explainer("taylor_signed", target, density=0.5)
    )
    passes = metrics.source_passes(session, source)
    values = saliency.localise(session, method, boxes.with_boxes(passes, known))
    maps = saliency.saliency_maps(session, method, passes)
    masks = np.zeros((5, 8, 8))
    for mask, rows in zip(masks, known, strict=True):
        for top, left, bottom, right in rows:
            mask[top:bottom, left:right] = 1
    return values, maps, masks


def test_scores_are_those_of_the_maps_of_images_with_a_box(localised):
    values, maps, masks = localised
    assert values["indices"].tolist() == list(BOXED)
    np.testing.assert_allclose(values["region"], masks[list(BOXED)].mean(axis=(1, 2)))
    for kind in ("pathway", "gradient"):
        for row, index in enumerate(BOXED):
            size = np.abs(maps[kind][index])
            share = size[masks[index] > 0].sum() / size.sum()
            assert values[f"{kind}_energy"][row] == pytest.approx(share, rel=1e-4)
            best = np.unravel_index(size.argmax(), size.shape)
            assert values[f"{kind}_pointing_game"][row] == masks[index][best]
    assert not np.allclose(values["pathway_energy"], values["gradient_energy"])


def test_means_come_with_intervals_and_with_what_chance_would_reach(localised):
    values, _, masks = localised
    said = saliency.describe_localisation(values, seed=0)
    assert said["num_images"] == 3
    assert said["region"] == pytest.approx(masks[list(BOXED)].mean())
    energy = said["pathway"]["energy"]
    assert energy["mean"] == pytest.approx(values["pathway_energy"].mean())
    assert energy["low"] <= energy["mean"] <= energy["high"]


def test_a_study_reads_boxes_for_the_images_that_are_scored(tmp_path):
    from jaxpath.runs.study import Study, with_boxes_of

    target = targets.resnet8(image_size=8, channels=1)
    digits = data.Subset(data.digits("test"), range(3))
    study = Study(target, {}, digits, digits)
    path = Path(tmp_path) / "boxes.csv"
    path.write_text(f"path,width,height,x0,y0,x1,y1\n{digits.name(1)},8,8,1,2,5,7")
    known = boxes.boxes_seen(with_boxes_of(study, path).held_out, target.preprocessing)
    assert [rows.tolist() for rows in known] == [[], [[2, 1, 7, 5]], []]
    assert boxes.boxes_seen(study.held_out, target.preprocessing) is None
    assert with_boxes_of(study, None) == study
