"""A trained interpreter as one file: its weights, and in the header how to build it and for which target."""

from pathlib import Path

from jaxpath.flint.interpreter import Interpreter
from jaxpath.targets.belonging import check_classifier, wrong_target
from jaxpath.targets.module_files import (
    module_fields,
    module_options,
    named_damage,
    read_module,
    save_module,
)
from jaxpath.types import InputError, Params, Target

_KIND = "interpreter"
_TUPLES = ("image_shape", "decoder_widths")


def save_interpreter(
    interpreter: Interpreter, params: Params, target: Target, path: str | Path, *, target_params: Params
) -> None:
    """Writes a trained interpreter as a ``.safetensors`` file; :func:`load_interpreter` reads it.

    Args:
        interpreter: The module.
        params: Its trained parameters.
        target: The classifier that it reads.
        path: The file; it is replaced in one move.
        target_params: The classifier's parameters, of which the file keeps a digest.
    """
    header = module_options(interpreter)
    header["sites"] = [(site.name, site.channels) for site in interpreter.sites]
    save_module(path, _KIND, header, params, classifier=(target, target_params))


def load_interpreter(
    path: str | Path, target: Target, *, params: Params | None = None
) -> tuple[Interpreter, Params]:
    """Returns the interpreter of a file that :func:`save_interpreter` wrote, and its parameters.

    Args:
        path: The file, such as ``interpreter.safetensors`` in the folder of a run.
        target: The classifier to interpret: the one that the interpreter was trained for.
        params: The classifier's parameters: those that the interpreter was trained for; None leaves them
            unchecked.

    Raises:
        InputError: There is no such file, it is damaged or holds no interpreter, or it is one for another
            target, preprocessing or parameters.
    """
    header, weights = read_module(path, _KIND)
    sites = {site.name: site for site in target.sites}
    with named_damage(path, _KIND):
        options = module_fields(header)
        options.update({name: tuple(options[name]) for name in _TUPLES})
        read = [(str(name), channels) for name, channels in header["sites"]]
        if any(name not in sites or sites[name].channels != channels for name, channels in read):
            raise wrong_target(header, target, path, _KIND)
        check_classifier(header, target, params, path, _KIND)
        if options["image_shape"] != target.preprocessing.shape:
            raise InputError(
                f"the {_KIND} in {path} was trained on images of {options['image_shape']} and {target.name} "
                f"takes {target.preprocessing.shape}; make the target with that image_size"
            )
        return Interpreter(tuple(sites[name] for name, _ in read), **options), weights
