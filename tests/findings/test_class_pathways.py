import jax
import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, tiny_target

from jaxpath import targets
from jaxpath.findings import ClassPathways, learn_class_pathways, load_class_pathways, save_class_pathways
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
    pathways = learn_class_pathways(records, 3, threshold=0.6)
    assert pathways.counts.tolist() == [2, 0, 3] and pathways.known.tolist() == [True, False, True]
    assert np.flatnonzero(pathways.masks[2]).tolist() == [1]
    assert not pathways.masks[0].any() and not pathways.masks[1].any()
    assert pathways.frequencies[2, :3] == pytest.approx([1 / 3, 1, 1 / 3])
    assert np.flatnonzero(learn_class_pathways(records, 3, threshold=0.5).masks[0]).tolist() == [7, 8]


def test_classes_of_too_few_pictures_have_no_pathway(records):
    pathways = learn_class_pathways(records, 3, least=3)
    assert pathways.known.tolist() == [False, False, True] and np.isnan(pathways.frequencies[0]).all()


def test_a_file_gives_back_what_was_saved(records, tmp_path):
    learned = learn_class_pathways(records, 3, threshold=0.7, class_names=("a", "<b>", "c"), method="m")
    save_class_pathways(learned, tiny_target(), tmp_path / "c.npz")
    pathways = load_class_pathways(tmp_path / "c.npz", tiny_target())
    assert (pathways.threshold, pathways.class_names, pathways.method) == (0.7, ("a", "<b>", "c"), "m")
    np.testing.assert_array_equal(pathways.masks, learned.masks)
    np.testing.assert_array_equal(pathways.counts, learned.counts)


def test_a_wrong_file_is_one_clear_error(records, tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        load_class_pathways(tmp_path / "c.npz", tiny_target())
    (tmp_path / "bad.npz").write_bytes(b"garbage")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    for name, told in {"bad.npz": "it is no .npz file", "other.npz": "holds no class pathways"}.items():
        with pytest.raises(InputError, match=told):
            load_class_pathways(tmp_path / name, tiny_target())
    save_class_pathways(learn_class_pathways(records, 3), tiny_target(), tmp_path / "c.npz")
    with pytest.raises(InputError, match="those of tiny with 3 classes; expected resnet8 with 10"):
        load_class_pathways(tmp_path / "c.npz", targets.resnet8())


def test_class_pathways_of_other_weights_or_another_preprocessing_are_refused(records, tmp_path):
    target, path = targets.resnet8(image_size=8, channels=1), tmp_path / "c.npz"
    params, others = (target.init(jax.random.key(seed)) for seed in (0, 1))
    channels = sum(site.channels for site in target.sites)
    learned = ClassPathways(np.full((10, channels), 0.5), np.full(10, 3), 0.5, (), "a method")
    save_class_pathways(learned, target, path, params=params)
    load_class_pathways(path, target, params=params)
    with pytest.raises(InputError, match="was made for other weights of resnet8"):
        load_class_pathways(path, target, params=others)
    darker = target.preprocessing._replace(mean=(0.1,))
    with pytest.raises(InputError, match=r"was made for pictures with .* mean 0.449.* mean 0.1"):
        load_class_pathways(path, targets.with_preprocessing(target, darker), params=params)
    # Without parameters nothing is kept of them, as in files of older versions.
    save_class_pathways(learned, target, path)
    load_class_pathways(path, target, params=others)


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_threshold_outside_its_range_is_refused(records, threshold):
    with pytest.raises(InputError, match="above 0 and up to 1"):
        learn_class_pathways(records, 3, threshold=threshold)
