"""Files of PyTorch: read like safetensors, or refused in one sentence."""

import importlib.util

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from jaxpath import targets
from jaxpath.types import InputError

RESNET = targets.resnet8(num_classes=3)

needs_torch = pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is not installed")


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet8.safetensors"
    targets.save_weights(RESNET, RESNET.init(jax.random.key(0)), path)
    return path


def assert_same(result, expected):
    assert jax.tree.structure(result) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, result, expected)


@pytest.mark.skipif(bool(importlib.util.find_spec("torch")), reason="PyTorch is installed")
def test_without_pytorch_the_error_says_how_to_get_it(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"PyTorch, which is not installed; pip install torch, or convert"):
        targets.load_weights(RESNET, tmp_path / "weights.pth")


@needs_torch
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_pytorch_files_load_like_safetensors(wrapper, resnet_file, tmp_path):
    import torch

    state = {"module." + key: torch.from_numpy(value) for key, value in load_file(resnet_file).items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "weights.th")
    assert_same(
        targets.load_weights(RESNET, tmp_path / "weights.th"), targets.load_weights(RESNET, resnet_file)
    )


@needs_torch
def test_pytorch_files_that_hold_no_state_dict_are_refused(tmp_path):
    import torch

    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    torch.save({"weights_of_run": {}, "epoch": 3}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no pickle")
    for file, words in (("module", "more than tensors"), ("other", "weights_of_run"), ("text", "damaged")):
        with pytest.raises(InputError, match=words):
            targets.load_weights(RESNET, tmp_path / f"{file}.pth")


@needs_torch
@pytest.mark.filterwarnings("ignore:torch.quantize")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda torch, t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), r"quantised \(qint8\)"),
        (lambda torch, t: t.to_sparse(), "sparse"),
        (lambda torch, t: t.to(torch.float8_e4m3fn), r"8-bit floats \(float8_e4m3fn\)"),
        (lambda torch, t: t.to(torch.complex64), "complex"),
        (lambda torch, t: t.to("meta"), "meta device"),
    ],
)
def test_tensors_of_pytorch_that_are_no_plain_numbers_are_named(make, words, resnet_file, tmp_path):
    import torch

    state = {key: torch.from_numpy(value) for key, value in load_file(resnet_file).items()}
    state["conv1.weight"] = make(torch, state["conv1.weight"])
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=words) as error:
        targets.load_weights(RESNET, tmp_path / "odd.pth")
    assert "\n" not in str(error.value)


@needs_torch
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_averaged_weights_of_pytorch_load_in_any_precision(dtype, resnet_file, tmp_path):
    import torch

    raw = {
        key: torch.from_numpy(value).to(getattr(torch, dtype))
        for key, value in load_file(resnet_file).items()
    }
    ema = {"module." + key: value * 2 for key, value in raw.items()}
    torch.save({"state_dict": raw, "state_dict_ema": ema, "epoch": 1}, tmp_path / "both.ckpt")
    for state, factor in ((None, 1), ("ema", 2)):
        params = targets.load_weights(RESNET, tmp_path / "both.ckpt", state=state)
        expected = raw["conv1.weight"].float().numpy().transpose(2, 3, 1, 0) * factor
        np.testing.assert_array_equal(params["params"]["conv1"]["kernel"], expected)


@needs_torch
def test_damaged_files_of_pytorch_are_one_sentence(resnet_file, tmp_path):
    import torch

    state = {key: torch.from_numpy(value) for key, value in load_file(resnet_file).items()}
    torch.save(state, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(content[: rng.integers(1, len(content))] if rng.random() < 0.5 else content)
        broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        (tmp_path / "broken.pth").write_bytes(broken)
        try:
            targets.load_weights(RESNET, tmp_path / "broken.pth")
        except InputError as error:
            assert "\n" not in str(error)
