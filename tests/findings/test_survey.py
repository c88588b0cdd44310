import sys

import numpy as np
import pytest
from tiny_target import by_activation, numpy_forward, softmax, split_channels, tiny_params

from jaxpath import explainers, metrics
from jaxpath.findings import kept_survey, survey
from jaxpath.findings.survey import join_surveys


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


def test_the_strongest_response_of_every_channel_and_where_it_is_are_those_of_a_slow_forward(
    surveyed, pictures
):
    for i, image in enumerate(pictures.images):
        logits, activations = numpy_forward(tiny_params(), image.astype(np.float64))
        np.testing.assert_allclose(surveyed.logits[i], logits, rtol=1e-4, atol=1e-3)
        flat = [a.reshape(-1, a.shape[-1]) for a in activations]
        peaks = np.concatenate([a.max(axis=0) for a in flat])
        np.testing.assert_allclose(surveyed.peaks[i], peaks, rtol=1e-4, atol=1e-3)
        for grid, places, largest in zip(
            flat, split_channels(surveyed.places[i]), split_channels(peaks), strict=True
        ):
            at = grid[places, np.arange(grid.shape[1])]
            np.testing.assert_allclose(at, largest, rtol=1e-4, atol=1e-3)


def test_confidences_are_of_the_predicted_class_with_and_without_the_closed_channels(surveyed, pictures):
    records = surveyed.records
    assert len(set(records.predicted)) > 1
    for i, image in enumerate(pictures.images):
        clean, _ = numpy_forward(tiny_params(), image.astype(np.float64))
        masked, _ = numpy_forward(
            tiny_params(), image.astype(np.float64), split_channels(records.masks[i].astype(float))
        )
        label = records.predicted[i]
        assert label == clean.argmax()
        assert records.clean_confidence[i] == pytest.approx(softmax(clean)[label], abs=1e-4)
        assert records.masked_confidence[i] == pytest.approx(softmax(masked)[label], abs=1e-4)


def test_the_records_are_those_of_the_metrics(surveyed, session, method, pictures):
    passes = metrics.array_passes(session, image=pictures.images, label=pictures.labels)
    expected = metrics.explain_all(session, method, passes)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(
            getattr(surveyed.records, name), values, rtol=1e-5, atol=1e-6, err_msg=name
        )


def test_parts_of_a_survey_joined_again_are_the_survey(surveyed):
    parts = [surveyed.take(np.arange(4)), surveyed.take(np.arange(4, 11))]
    again = join_surveys(parts)
    for one, other in zip([*surveyed.records, *surveyed[1:]], [*again.records, *again[1:]], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_kept_survey_is_not_made_again_unless_pictures_weights_or_method_change(
    session, method, pictures, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def explain(params):
        made.append(1)
        return by_activation(params)

    watched = method._replace(make=explain)
    first = kept_survey(session, watched, pictures, identity="a")
    calls = len(made)
    again = kept_survey(session, watched, pictures, identity="a")
    assert calls > 0 and len(made) == calls
    np.testing.assert_array_equal(first.peaks, again.peaks)
    np.testing.assert_array_equal(first.records.masks, again.records.masks)
    kept_survey(session, watched, pictures, identity="b")
    kept_survey(session, watched, pictures.take([0, 1]), identity="a")
    kept_survey(session, watched._replace(name="other"), pictures, identity="a")
    assert len(list((tmp_path / "jaxpath" / "surveys").glob("*.npz"))) == 4


def test_what_a_slow_explainer_found_before_it_was_stopped_is_kept(session, pictures, tmp_path, monkeypatch):
    """Three batches of four; what is drawn for a picture is what it would be in one go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    random = explainers.make_random(session.target, density=0.5)
    method = metrics.Method("random", lambda _: random, {}, seed=3, slow=True)
    whole = survey(session, method, pictures)
    assert len({mask.tobytes() for mask in whole.records.masks}) > 4
    begun, watched = [], []

    def stopped(session, method, part, **how):
        begun.append(part.names)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return survey(session, method, part, **how)

    def watch(title, total, batches):
        watched.append((title, total))
        return batches

    monkeypatch.setattr(sys.modules[kept_survey.__module__], "survey", stopped)
    session = session._replace(watch=watch)
    with pytest.raises(KeyboardInterrupt):
        kept_survey(session, method, pictures, identity="a")
    again = kept_survey(session, method, pictures, identity="a")
    assert begun == [pictures.names[:4], pictures.names[4:8], pictures.names[8:], pictures.names[8:]]
    assert watched == [("reference", 3)] * 2
    for one, other in zip([*whole.records, *whole[1:]], [*again.records, *again[1:]], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (4, 4), (5, 3), (11, 4)])
def test_a_slow_explainer_explains_hardly_any_padding(
    session, method, pictures, tmp_path, monkeypatch, count, size
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sizes = set()

    def make(params):
        explain = by_activation(params)

        def noted(params, images, labels, *, key):
            sizes.add(len(images))
            return explain(params, images, labels, key=key)

        return noted

    slow = method._replace(make=make, slow=True)
    made = kept_survey(session, slow, pictures.take(range(count)), identity="a")
    assert sizes == {size} and len(made.classes) == count


@pytest.mark.parametrize("damage", ["cut short", "empty", "another survey", "older version"])
def test_a_kept_survey_that_is_damaged_or_another_one_is_made_anew(
    session, method, pictures, tmp_path, monkeypatch, capsys, damage
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = kept_survey(session, method, pictures, identity="a")
    (path,) = (tmp_path / "jaxpath" / "surveys").iterdir()
    if damage == "another survey":
        kept_survey(session, method, pictures.take([0, 1]), identity="a")
        (other,) = set(path.parent.iterdir()) - {path}
        path.write_bytes(other.read_bytes())
    elif damage == "older version":
        with np.load(path) as arrays:
            older = {name: arrays[name] for name in arrays.files if name != "peaks"}
        np.savez(path, **older)
    else:
        path.write_bytes(path.read_bytes()[: 1000 if damage == "cut short" else 0])
    capsys.readouterr()
    again = kept_survey(session, method, pictures, identity="a")
    told = [line for line in capsys.readouterr().err.splitlines() if "cache file" in line]
    assert len(told) == 1 and str(path) in told[0] and "made anew" in told[0]
    for one, other in zip([*first.records, *first[1:]], [*again.records, *again[1:]], strict=True):
        np.testing.assert_array_equal(one, other)
