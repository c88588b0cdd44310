"""Trained weights: from PyTorch's files into a target's parameters and back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxpath.files import expand_home, sha256_of, sha256_of_folder
from jaxpath.targets.digests import digest
from jaxpath.targets.headers import KEY, WeightsHeader, header_text, read_header
from jaxpath.targets.lwta import split_name
from jaxpath.targets.preprocessing import describe_preprocessing
from jaxpath.targets.recognition import is_known, recognise
from jaxpath.targets.registry import families_of, recognised_as
from jaxpath.targets.safetensors_files import write_safetensors
from jaxpath.targets.torch_names import Slot, canonical, parameter_slots
from jaxpath.targets.weight_files import local_file, read_contents
from jaxpath.types import InputError, Params, Target

_MOST_LISTED = 8
"""Keys of one kind that an error lists before it only counts them."""


def load_weights(target: Target, path: str | Path, *, state: str | None = None) -> Params:
    """Loads trained weights into a target's parameters.

    Half-precision tensors become float32, exactly. torchvision's and timm's names are understood, and
    those of the CIFAR ResNets of akamaster/pytorch_resnet_cifar10. Keys and prefixes that wrap a state dict
    are taken off, such as ``model_state_dict``, ``module.`` and ``_orig_mod.``.

    Args:
        target: The target the weights are for.
        path: A ``.safetensors`` file; a ``.pth``, ``.pt``, ``.th``, ``.bin``, ``.ckpt`` or ``.tar`` file of
            ``torch.save``, which needs PyTorch; or ``hf://owner/name`` or
            ``hf://owner/name/file`` on the Hugging Face Hub, which needs ``huggingface_hub`` and the network;
            or one word, such as ``resnet18``, for the published weights of that network.
        state: Which state of a checkpoint that holds several: ``"ema"``, the averaged one; ``"raw"``, the one
            that was trained; or the key under which it lies. None takes the raw one, or the only one.

    Returns:
        Parameters of the same structure as ``target.init(key)``.

    Raises:
        InputError: The file is missing, damaged or of another kind, or its tensors are not this
            target's; then missing, unexpected and misshaped keys are listed together. Or a value is no finite
            number, or a variance is negative; then the tensor is named. Or the file's header says that it was
            trained with another number of competing units, or with another preprocessing.

    >>> from tempfile import TemporaryDirectory
    >>> import jax
    >>> from jaxpath import targets
    >>> target = targets.resnet8(image_size=8, channels=1)
    >>> params = jax.tree.map(jnp.ones_like, jax.eval_shape(target.init, jax.random.key(0)))
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(target, params, f"{folder}/resnet8.safetensors")
    ...     loaded = load_weights(target, f"{folder}/resnet8.safetensors")
    >>> jax.tree.all(jax.tree.map(np.array_equal, loaded, params))
    True
    """
    slots = parameter_slots(target)
    contents = read_contents(path, is_known, state=state)
    stored = {name: tensor.read() for name, tensor in contents.state.tensors.items()}
    tensors = canonical(stored, {slot.key: slot.torch_shape for slot in slots}, families_of(target.name))
    check_tensors(tensors, slots, target=target, path=path)
    header = read_header(contents.words, str(path))
    if header is not None:
        check_header(header, target, path)
    arrays = read_arrays(tensors, slots, path)
    params = unflatten_dict({place: jnp.asarray(array) for place, array in arrays.items()})
    if header is not None and header.digest not in (None, digest(params)):
        raise InputError(
            f"the tensors in {str(path)!r} are not those that were written: the file is damaged or was "
            "changed; fetch or train them again, or write changed ones with targets.save_weights"
        )
    return params


def save_weights(
    target: Target, params: Params, path: str | Path, *, class_names: Sequence[str] = ()
) -> None:
    """Writes a target's parameters as a ``.safetensors`` file with torchvision's names and layouts.

    The file's header holds what tensors do not tell: the target's name, its preprocessing and image size, the
    number and the names of its classes, and a digest of the parameters.

    :func:`load_weights` gives the same parameters back, bit for bit.

    Args:
        target: The target.
        params: Its parameters.
        path: The file.
        class_names: One name per class, or none.

    Raises:
        InputError: The parameters are not this target's, the suffix is another, or there is not one name for
            each class.

    >>> from tempfile import TemporaryDirectory
    >>> import jax
    >>> from jaxpath import targets
    >>> target = targets.resnet8(image_size=8, channels=1, num_classes=2)
    >>> params = jax.tree.map(jnp.ones_like, jax.eval_shape(target.init, jax.random.key(0)))
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(target, params, f"{folder}/resnet8.safetensors", class_names=["cat", "dog"])
    ...     targets.describe_weights(f"{folder}/resnet8.safetensors").class_names
    ('cat', 'dog')
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
    written = unflatten_dict({slot.path: np.asarray(arrays[slot.path], np.float32) for slot in slots})
    text = header_text(target, class_names=class_names, digest=digest(written))
    write_safetensors(path, tensors, key=KEY, text=text)


def weights_hash(path: str | Path) -> str:
    """Returns the SHA-256 of a weights file in hexadecimal, by which a checkpoint knows its target.

    Of a folder, such as Orbax's, it is that of all files.

    Raises:
        InputError: There is no such file.
    """
    folder = Path(expand_home(str(path)))
    return sha256_of_folder(folder) if folder.is_dir() else sha256_of(local_file(path))


def read_arrays(
    tensors: Mapping[str, np.ndarray], slots: Sequence[Slot], path: str | Path
) -> dict[tuple[str, ...], np.ndarray]:
    """The arrays of these slots by their places, float32, from the tensors of a file that fit.

    Raises:
        InputError: As :func:`check_values` does.
    """
    # float64 may hold what float32 cannot; it becomes infinite, which is refused.
    with np.errstate(over="ignore"):
        arrays = {slot.path: slot.from_torch(tensors[slot.key]) for slot in slots}
    check_values(((slot.key, arrays[slot.path]) for slot in slots), where=str(path))
    return arrays


def check_values(arrays: Iterable[tuple[str, np.ndarray]], *, where: str) -> None:
    """Raises an error that names the first array with a NaN, an infinity, or a negative variance."""
    for name, array in arrays:
        if not np.isfinite(array).all():
            nans, count = int(np.isnan(array).sum()), int((~np.isfinite(array)).sum())
            raise InputError(
                f"{name} in {where!r} holds {count} of {array.size} values that are no finite float32 "
                "numbers "
                f"({nans} NaN, {count - nans} infinite); nothing computed with it means anything: fetch the "
                "file again, or save a state from before the training diverged"
            )
        if name.endswith("running_var") and array.size and array.min() < 0:
            raise InputError(
                f"{name} in {where!r} holds the variance {array.min():.3g}; expected none below 0: fetch the "
                "file again"
            )


def check_header(header: WeightsHeader, target: Target, path: str | Path) -> None:
    """Raises an error if a header says that its file is for other units or another preprocessing."""
    if split_name(header.target)[1] != split_name(target.name)[1]:
        raise InputError(
            f"the weights in {str(path)!r} are those of {header.target}, whose units act differently than "
            f"those of {target.name}; make the target {header.target}"
        )
    if header.preprocessing not in (None, target.preprocessing):
        assert header.preprocessing is not None
        raise InputError(
            f"the weights in {str(path)!r} were trained on pictures with "
            f"{describe_preprocessing(header.preprocessing)}, and {target.name} was made for "
            f"{describe_preprocessing(target.preprocessing)}; make the target with that image_size and "
            "targets.with_preprocessing, or open the file with runs.load_net"
        )


def check_tensors(
    tensors: Mapping[str, np.ndarray],
    slots: Sequence[Slot],
    *,
    target: Target,
    path: str | Path,
    optional: Collection[str] = (),
) -> None:
    """Raises one error for all tensors that are missing, not the target's, or of another shape or type.

    Args:
        tensors: Of the file, by name.
        slots: Of the target.
        target: For the message.
        path: The file.
        optional: Names that may be missing or of another shape.
    """
    keys = {slot.key for slot in slots}
    missing = sorted(keys - set(tensors) - set(optional))
    unexpected = sorted(set(tensors) - keys)
    needed = [slot for slot in slots if slot.key in tensors and slot.key not in optional]
    misfits = [slot for slot in needed if not fits(tensors[slot.key], slot)]
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
        if name not in (None, recognised_as(target.name)):
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


def fits(tensor: np.ndarray, slot: Slot) -> bool:
    """Whether a tensor has the shape of a slot and is of floating-point numbers."""
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
