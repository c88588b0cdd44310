"""A trained interpreter as one file: its weights, and in the header how to build it and for which target."""

from pathlib import Path

from jaxpath.flint.interpreter import Interpreter
from jaxpath.targets.module_files import module_options, read_module, save_module, wrong_target
from jaxpath.types import Params, Target

_KIND = "interpreter"
_TUPLES = ("image_shape", "decoder_widths")


def save_interpreter(interpreter: Interpreter, params: Params, target: Target, path: str | Path) -> None:
    """Writes a trained interpreter as a ``.safetensors`` file; :func:`load_interpreter` reads it.

    Args:
        interpreter: The module.
        params: Its trained parameters.
        target: The classifier that it reads.
        path: The file; it is replaced in one move.
    """
    header = {"target": target.name, **module_options(interpreter)}
    header["sites"] = [(site.name, site.channels) for site in interpreter.sites]
    save_module(path, _KIND, header, params)


def load_interpreter(path: str | Path, target: Target) -> tuple[Interpreter, Params]:
    """Returns the interpreter of a file that :func:`save_interpreter` wrote, and its parameters.

    Args:
        path: The file, such as ``interpreter.safetensors`` in the folder of a run.
        target: The classifier to interpret: the one that the interpreter was trained for.

    Raises:
        InputError: There is no such file, it holds no interpreter, or it is one for another target.
    """
    header, params = read_module(path, _KIND)
    sites = {site.name: site for site in target.sites}
    fits = all(name in sites and sites[name].channels == channels for name, channels in header["sites"])
    if not fits or header["num_classes"] != target.num_classes:
        raise wrong_target(header, target, path, _KIND)
    options = {name: value for name, value in header.items() if name not in ("target", "sites")}
    options.update({name: tuple(options[name]) for name in _TUPLES})
    return Interpreter(tuple(sites[name] for name, _ in header["sites"]), **options), params
