"""Trained weights: from PyTorch's files into a target's parameters and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors.numpy import save_file

from jaxpath.files import replacing, sha256_of
from jaxpath.targets.lwta import split_name
from jaxpath.targets.recognition import recognise
from jaxpath.targets.registry import families_of
from jaxpath.targets.torch_names import Slot, canonical, parameter_slots
from jaxpath.targets.weight_files import TARGET, local_file, read_target_name, read_tensors
from jaxpath.types import InputError, Params, Target

_MOST_LISTED = 8
"""Keys of one kind that an error lists before it only counts them."""


def load_weights(target: Target, path: str | Path) -> Params:
    """Loads trained weights into a target's parameters.

    Half-precision tensors become float32, exactly. torchvision's and timm's names are understood, and
    those of the CIFAR ResNets of akamaster/pytorch_resnet_cifar10.

    Args:
        target: The target the weights are for.
        path: A ``.safetensors`` file; a ``.pth``, ``.pt``, ``.th`` or ``.bin`` file, which needs the
            ``torch`` extra; or ``hf://owner/name`` or ``hf://owner/name/file`` on the Hugging Face Hub,
            which needs the ``hub`` extra and the network.

    Returns:
        Parameters of the same structure as ``target.init(key)``.

    Raises:
        InputError: The file is missing, damaged or of another kind, or its tensors are not this
            target's; then missing, unexpected and misshaped keys are listed together. Or it says that it
            was trained with another number of competing units.
    """
    slots = parameter_slots(target)
    file = local_file(path)
    tensors = canonical(read_tensors(file), {slot.key for slot in slots}, families_of(target.name))
    _check_tensors(tensors, slots, target=target, path=path)
    saved = read_target_name(file)
    if saved is not None and split_name(saved)[1] != split_name(target.name)[1]:
        raise InputError(
            f"the weights in {str(path)!r} are those of {saved}, whose units act differently than those of "
            f"{target.name}; make the target {saved}"
        )
    arrays = {slot.path: jnp.asarray(slot.from_torch(tensors[slot.key])) for slot in slots}
    return unflatten_dict(arrays)


def save_weights(target: Target, params: Params, path: str | Path) -> None:
    """Writes a target's parameters as a ``.safetensors`` file with torchvision's names and layouts.

    The file's header holds the target's name.

    :func:`load_weights` gives the same parameters back, bit for bit.

    Raises:
        InputError: The parameters are not this target's, or the suffix is another.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"the weights were to be written to {str(path)!r}; expected the suffix .safetensors")
    slots = parameter_slots(target)
    arrays = flatten_dict(params)
    if {key: array.shape for key, array in arrays.items()} != {slot.path: slot.shape for slot in slots}:
        raise InputError(
            f"the parameters to be written are not those of {target.name} with {target.num_classes} classes; "
            "give what its init, train_apply or load_weights returned"
        )
    tensors = {slot.key: slot.to_torch(np.asarray(arrays[slot.path])) for slot in slots}
    with replacing(path) as partial:
        save_file(tensors, partial, {TARGET: target.name})


def weights_hash(path: str | Path) -> str:
    """Returns the SHA-256 of a weights file in hexadecimal, by which a checkpoint knows its target.

    Raises:
        InputError: There is no such file.
    """
    return sha256_of(local_file(path))


def _check_tensors(
    tensors: Mapping[str, np.ndarray], slots: Sequence[Slot], *, target: Target, path: str | Path
) -> None:
    keys = {slot.key for slot in slots}
    missing = sorted(keys - set(tensors))
    unexpected = sorted(set(tensors) - keys)
    misfits = [slot for slot in slots if slot.key in tensors and not _fits(tensors[slot.key], slot)]
    problems = [
        _listed("missing key", missing),
        _listed("unexpected key", unexpected),
        _listed("misshaped key", [_described(tensors[slot.key], slot) for slot in misfits]),
    ]
    if not any(problems):
        return
    hint = f"give the weights of a {target.name} with {target.num_classes} classes"
    name = recognise({key: tensor.shape for key, tensor in tensors.items()})
    if missing or unexpected:
        if name not in (None, target.name):
            hint = f"they look like the weights of {name}: make that target, or {hint}"
    elif len(classes := {_classes(tensors[slot.key], slot, target.num_classes) for slot in misfits}) == 1:
        if (num_classes := classes.pop()) is not None:
            hint = (
                f"they were trained for {num_classes} classes: make the target with "
                f"num_classes={num_classes}, or {hint}"
            )
    raise InputError(
        f"the weights in {str(path)!r} do not fit {target.name} with {target.num_classes} classes: "
        f"{'; '.join(problem for problem in problems if problem)}; {hint}"
    )


def _fits(tensor: np.ndarray, slot: Slot) -> bool:
    return tensor.shape == slot.torch_shape and jnp.issubdtype(tensor.dtype, jnp.floating)


def _described(tensor: np.ndarray, slot: Slot) -> str:
    return f"{slot.key} is {tensor.dtype} {list(tensor.shape)}, expected {list(slot.torch_shape)}"


def _classes(tensor: np.ndarray, slot: Slot, num_classes: int) -> int | None:
    """The tensor's number of classes if that is all that is wrong with it."""
    per_class = slot.torch_shape[0] == num_classes and tensor.shape[1:] == slot.torch_shape[1:]
    return tensor.shape[0] if per_class and tensor.ndim else None


def _listed(kind: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = len(items) - _MOST_LISTED
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(items)} {kind}{'s' if len(items) > 1 else ''} ({', '.join(items[:_MOST_LISTED])}{rest})"
