import json

import jax
import numpy as np
import pytest
from planted import CHANNELS, planted_target
from safetensors import safe_open
from safetensors.numpy import save_file

from jaxpath import gencnp, targets
from jaxpath.types import InputError

TARGET = planted_target()
PARAMS = TARGET.init(jax.random.key(0))


def saved(path, **options):
    generator = gencnp.Generator(TARGET.sites, TARGET.num_classes, width=8, grid=2, **options)
    images = np.zeros((1, 4, 4, CHANNELS), np.float32)
    _, reading = gencnp.read(TARGET, PARAMS, images)
    params = jax.jit(generator.init)(jax.random.key(1), reading)
    gencnp.save_generator(generator, params, TARGET, path, target_params=PARAMS)
    return generator, params


def test_a_generator_comes_back_with_its_options_and_every_bit(tmp_path):
    generator, params = saved(tmp_path / "g.safetensors", decoder_sees="distilled", initial_logit=1.25)
    result, found_params = gencnp.load_generator(tmp_path / "g.safetensors", TARGET, params=PARAMS)
    assert result == generator
    jax.tree.map(np.testing.assert_array_equal, found_params, params)


def test_a_generator_for_another_target_is_refused_and_both_are_named(tmp_path):
    saved(tmp_path / "g.safetensors")
    with pytest.raises(
        InputError, match="made for planted with 4 classes; expected a file for resnet8 with 10"
    ):
        gencnp.load_generator(tmp_path / "g.safetensors", targets.resnet8(image_size=8))


def test_a_missing_file_a_damaged_one_and_one_of_weights_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="there is no generator file"):
        gencnp.load_generator(tmp_path / "none.safetensors", TARGET)
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(InputError, match="no readable safetensors file"):
        gencnp.load_generator(tmp_path / "bad.safetensors", TARGET)
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="holds no generator"):
        gencnp.load_generator(tmp_path / "weights.safetensors", TARGET)


def test_a_file_of_another_layout_is_refused_before_its_arrays_are_used(tmp_path):
    path = tmp_path / "g.safetensors"
    saved(path)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["jaxpath.generator"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["layout"], header["checksum"]
    save_file(arrays, path, metadata={"jaxpath.generator": json.dumps(header)})
    with pytest.raises(InputError, match=r"has layout 1 of parameters, .* reads layout 3"):
        gencnp.load_generator(path, TARGET)


def test_a_generator_of_other_weights_is_refused_and_one_of_the_same_is_not(tmp_path):
    saved(tmp_path / "g.safetensors")
    same = jax.tree.map(np.asarray, PARAMS)
    gencnp.load_generator(tmp_path / "g.safetensors", TARGET, params=same)
    other = jax.tree.map(lambda array: np.asarray(array) * np.float32(1.001), PARAMS)
    with pytest.raises(InputError, match=r"/g\.safetensors was made for other weights of planted"):
        gencnp.load_generator(tmp_path / "g.safetensors", TARGET, params=other)


@pytest.mark.parametrize(
    "change", [{"mean": (0.5,) * CHANNELS}, {"crop": (8, 8)}, {"interpolation": "bicubic"}]
)
def test_a_generator_for_pictures_prepared_otherwise_is_refused(change, tmp_path):
    saved(tmp_path / "g.safetensors")
    target = TARGET._replace(preprocessing=TARGET.preprocessing._replace(**change))
    with pytest.raises(InputError, match=r"was made for pictures with .* 4 x 4, mean 0 .* takes them with"):
        gencnp.load_generator(tmp_path / "g.safetensors", target)


def test_a_file_of_an_older_version_loads_and_says_that_it_does_not_know_its_classifier(tmp_path):
    path = tmp_path / "g.safetensors"
    generator, params = saved(path)
    assert gencnp.knows_its_classifier(path)
    header, arrays = rewritten(path)
    for name in ("preprocessing", "target_params", "checksum", "taylor", "tried_with"):
        del header[name]
    save_file(arrays, path, metadata={"jaxpath.generator": json.dumps(header)})
    result, found = gencnp.load_generator(path, TARGET, params=PARAMS)
    assert result == generator and not gencnp.knows_its_classifier(path)
    jax.tree.map(np.testing.assert_array_equal, found, params)


def rewritten(path):
    """Header and arrays of a file."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["jaxpath.generator"])
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize(
    "change",
    [{"cuts": None}, {"dtype": "float3"}, {"unheard_of": 1}, {"preprocessing": 3}, {"sites": 4}],
)
def test_a_header_that_builds_no_generator_is_one_sentence(change, tmp_path):
    path = tmp_path / "g.safetensors"
    saved(path)
    header, arrays = rewritten(path)
    del header["checksum"]  # as in files of older versions
    save_file(arrays, path, metadata={"jaxpath.generator": json.dumps({**header, **change})})
    with pytest.raises(InputError) as error:
        gencnp.load_generator(path, TARGET)
    assert "\n" not in str(error.value)


def test_a_bit_that_was_flipped_is_found_or_changes_nothing(tmp_path):
    path = tmp_path / "g.safetensors"
    generator, params = saved(path)
    refused = 0
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=60):
        broken = bytearray(content)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            result, found = gencnp.load_generator(path, TARGET, params=PARAMS)
        except InputError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1
        else:
            assert result == generator
            jax.tree.map(np.testing.assert_array_equal, found, params)
    assert refused >= 57


def test_a_weight_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "g.safetensors"
    saved(path)
    header, arrays = rewritten(path)
    del header["checksum"]
    name = min(arrays)
    arrays[name].reshape(-1)[0] = np.nan
    save_file(arrays, path, metadata={"jaxpath.generator": json.dumps(header)})
    with pytest.raises(InputError, match=f"{name} in .* holds 1 of"):
        gencnp.load_generator(path, TARGET)
