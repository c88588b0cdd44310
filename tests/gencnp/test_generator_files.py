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
    clean = TARGET.apply(PARAMS, images)
    params = jax.jit(generator.init)(jax.random.key(1), clean)
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
        InputError, match="trained for planted with 4 classes; expected one for resnet8 with 10"
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
    del header["layout"]
    save_file(arrays, path, metadata={"jaxpath.generator": json.dumps(header)})
    with pytest.raises(InputError, match=r"has layout 1 of parameters, .* reads layout 2"):
        gencnp.load_generator(path, TARGET)
