"""The same network with another preprocessing."""

import jax
import numpy as np
import pytest

from jaxpath import targets
from jaxpath.targets.preprocessing import as_facts, from_facts
from jaxpath.types import InputError, Preprocessing

TARGET = targets.resnet8(image_size=8)
OTHER = Preprocessing(9, (8, 8), (0.5, 0.25, 0.125), (0.5, 0.25, 1.0), "bicubic")


def test_raw_images_are_normalised_by_the_new_numbers_and_floats_pass():
    target = targets.with_preprocessing(TARGET, OTHER)
    assert target.preprocessing == OTHER and target.sites == TARGET.sites
    params = TARGET.init(jax.random.key(0))
    raw = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    by_hand = (raw / np.float32(255) - np.array(OTHER.mean, "f4")) / np.array(OTHER.std, "f4")
    expected = TARGET.apply(params, by_hand.astype("f4")).logits
    np.testing.assert_allclose(target.apply(params, raw).logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(target.apply(params, by_hand).logits, TARGET.apply(params, by_hand).logits)
    assert np.abs(TARGET.apply(params, raw).logits - expected).max() > 0.01
    key = jax.random.key(1)
    trained, _ = target.train_apply(params, raw, key=key)
    by_floats, _ = TARGET.train_apply(params, by_hand.astype("f4"), key=key)
    np.testing.assert_allclose(trained.logits, by_floats.logits, rtol=1e-3, atol=1e-4)


def test_draws_of_competing_units_follow_and_gates_do():
    plain = targets.resnet8(image_size=8, competitors=2)
    target = targets.with_preprocessing(plain, OTHER)
    params = plain.init(jax.random.key(0))
    raw = np.full((1, 8, 8, 3), 200, np.uint8)
    floats = np.asarray(targets.normalize(raw, OTHER))
    key = jax.random.key(1)
    np.testing.assert_array_equal(
        target.sample_apply(params, raw, key=key).logits, plain.sample_apply(params, floats, key=key).logits
    )
    site = plain.sites[0]
    gates = {site.name: np.zeros((1, site.channels), "f4")}
    assert not target.apply(params, raw, gates).features[site.name].any()


def test_the_same_preprocessing_is_the_same_target():
    assert targets.with_preprocessing(TARGET, TARGET.preprocessing) is TARGET


@pytest.mark.parametrize(
    "preprocessing",
    [OTHER._replace(crop=(16, 16)), OTHER._replace(mean=(0.5,), std=(0.5,))],
)
def test_another_size_or_number_of_channels_is_the_makers_business(preprocessing):
    with pytest.raises(InputError, match="make the target with that image_size and number of channels"):
        targets.with_preprocessing(TARGET, preprocessing)


def test_facts_come_back():
    assert from_facts(as_facts(OTHER), "file") == OTHER
    assert from_facts(as_facts(TARGET.preprocessing), "file") == TARGET.preprocessing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mean", []),
        ("mean", ["a", 1, 2]),
        ("std", [0.5, 0.0, 0.5]),
        ("std", [0.5]),
        ("std", [float("nan")] * 3),
        ("crop", 8),
        ("crop", [8, 0]),
        ("resize", "big"),
        ("interpolation", "hamming"),
    ],
)
def test_facts_that_are_none_are_named(field, value):
    with pytest.raises(InputError, match=f"file holds the {field}"):
        from_facts({**as_facts(OTHER), field: value}, "file")
    with pytest.raises(InputError, match="file holds the preprocessing"):
        from_facts([1], "file")
