import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, tiny_target

from jaxpath import targets
from jaxpath.findings import learn_class_pathways, load_class_pathways, save_class_pathways
from jaxpath.metrics import Records
from jaxpath.types import InputError


def records_of(masks, predicted) -> Records:
    values = {name: np.zeros(len(predicted)) for name in Records._fields}
    return Records(**{**values, "masks": np.asarray(masks, bool), "predicted": np.asarray(predicted)})


@pytest.fixture
def records():
    masks = np.zeros((5, NUM_CHANNELS), bool)
    masks[0, [0, 1]] = masks[1, [1, 2]] = masks[2, [1]] = True
    masks[3, [7]] = masks[4, [8]] = True
    return records_of(masks, [2, 2, 2, 0, 0])


def test_a_channel_belongs_to_a_class_if_enough_of_its_pictures_keep_it(records):
    found = learn_class_pathways(records, 3, threshold=0.6)
    assert found.counts.tolist() == [2, 0, 3] and found.known.tolist() == [True, False, True]
    assert np.flatnonzero(found.masks[2]).tolist() == [1]
    assert not found.masks[0].any() and not found.masks[1].any()
    assert found.frequencies[2, :3] == pytest.approx([1 / 3, 1, 1 / 3])
    assert np.flatnonzero(learn_class_pathways(records, 3, threshold=0.5).masks[0]).tolist() == [7, 8]


def test_classes_of_too_few_pictures_have_no_pathway(records):
    found = learn_class_pathways(records, 3, least=3)
    assert found.known.tolist() == [False, False, True] and np.isnan(found.frequencies[0]).all()


def test_a_file_gives_back_what_was_saved(records, tmp_path):
    learned = learn_class_pathways(records, 3, threshold=0.7, class_names=("a", "<b>", "c"), method="m")
    save_class_pathways(learned, tiny_target(), tmp_path / "c.npz")
    found = load_class_pathways(tmp_path / "c.npz", tiny_target())
    assert (found.threshold, found.class_names, found.method) == (0.7, ("a", "<b>", "c"), "m")
    np.testing.assert_array_equal(found.masks, learned.masks)
    np.testing.assert_array_equal(found.counts, learned.counts)


def test_a_wrong_file_is_one_clear_error(records, tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        load_class_pathways(tmp_path / "c.npz", tiny_target())
    (tmp_path / "bad.npz").write_bytes(b"garbage")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    for name in ("bad.npz", "other.npz"):
        with pytest.raises(InputError, match="holds no class pathways"):
            load_class_pathways(tmp_path / name, tiny_target())
    save_class_pathways(learn_class_pathways(records, 3), tiny_target(), tmp_path / "c.npz")
    with pytest.raises(InputError, match="those of tiny with 3 classes; expected resnet8 with 10"):
        load_class_pathways(tmp_path / "c.npz", targets.resnet8())


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_threshold_outside_its_range_is_refused(records, threshold):
    with pytest.raises(InputError, match="above 0 and up to 1"):
        learn_class_pathways(records, 3, threshold=threshold)
