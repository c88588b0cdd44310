"""Files that hold a state dict, as NumPy arrays by name: safetensors, PyTorch's own, the Hugging Face Hub."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from jaxpath.files import expand_home
from jaxpath.types import InputError

HUB = "hf://"
TARGET = "jaxpath.target"
"""Key in the header of a ``.safetensors`` file under which a target's name is kept."""

_TORCH_SUFFIXES = (".pth", ".pt", ".th", ".bin")
_WRAPPERS = ("state_dict", "model")
"""Keys under which training scripts keep the state dict, beside the epoch and so on."""


def local_file(path: str | Path) -> Path:
    """Returns the path of a file, downloading it first if it is on the Hub.

    Args:
        path: A file, or ``hf://owner/name`` (its ``model.safetensors``) or ``hf://owner/name/file``.

    Raises:
        InputError: There is no such file, or the ``hub`` extra is missing, or the download failed.
    """
    if str(path).startswith(HUB):
        return _download(*parse_hub_path(str(path)))
    file = Path(expand_home(str(path)))
    if not file.is_file():
        state = "is a folder" if file.is_dir() else "does not exist"
        raise InputError(
            f"the weights file {str(path)!r} {state}; give a .safetensors or PyTorch file, or hf://owner/name"
        )
    return file


def read_tensors(file: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a ``.safetensors`` or PyTorch file by name, in the file's types.

    Raises:
        InputError: The suffix is unknown, the file is damaged or holds no state dict, or the ``torch``
            extra that a PyTorch file needs is missing.
    """
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except SafetensorError as error:
            raise InputError(f"{file} is no readable safetensors file ({error}); fetch it again") from error
    if file.suffix in _TORCH_SUFFIXES:
        return _read_torch(file)
    suffixes = ", ".join((".safetensors", *_TORCH_SUFFIXES))
    raise InputError(f"the weights file {file} has the suffix {file.suffix!r}; expected one of {suffixes}")


def read_target_name(file: Path) -> str | None:
    """The name of the target whose weights a readable file holds; None if the file does not say it."""
    if file.suffix != ".safetensors":
        return None
    with safe_open(file, framework="numpy") as opened:
        return (opened.metadata() or {}).get(TARGET)


def parse_hub_path(path: str) -> tuple[str, str]:
    """Splits a path on the Hub into repository and file.

    >>> parse_hub_path("hf://timm/resnet50.tv_in1k")
    ('timm/resnet50.tv_in1k', 'model.safetensors')
    """
    owner, _, rest = path.removeprefix(HUB).partition("/")
    name, _, file = rest.partition("/")
    if not owner or not name:
        raise InputError(f"{path!r} names no repository; expected hf://owner/name or hf://owner/name/file")
    return f"{owner}/{name}", file or "model.safetensors"


def _download(repository: str, file: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise InputError(
            f"downloading {HUB}{repository} needs huggingface_hub; install it by: pip install jaxpath[hub]"
        ) from error
    try:
        return Path(hf_hub_download(repository, file))
    # OSError covers a broken connection and a full disk, ValueError a malformed repository name.
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{HUB}{repository}/{file} could not be downloaded: {reason}") from error


def _read_torch(file: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"reading {file} needs PyTorch; install it by: pip install jaxpath[torch], or convert the file "
            "to .safetensors"
        ) from error
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(
            f"{file} is damaged or holds more than tensors; fetch it again, or save model.state_dict() alone"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not any(torch.is_tensor(value) for value in state.values()):
        content = f"the keys {list(state)[:8]}" if isinstance(state, Mapping) else f"a {type(state).__name__}"
        raise InputError(
            f"{file} holds {content}; expected a state dict, alone or under 'state_dict' or 'model'"
        )
    return {str(key): _as_numpy(value) for key, value in state.items() if torch.is_tensor(value)}


def _as_numpy(tensor: Any) -> np.ndarray:
    # NumPy has no bfloat16, and float32 holds every half-precision number exactly.
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()
