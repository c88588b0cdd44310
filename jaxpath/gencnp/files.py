"""A trained generator as one file: its weights, and in the header how to build it and for which target."""

from pathlib import Path

import jax.numpy as jnp

from jaxpath.gencnp.generator import Generator
from jaxpath.targets.module_files import module_options, read_module, save_module, wrong_target
from jaxpath.types import InputError, Params, Target

_KIND = "generator"

_LAYOUT = 2
"""How parameters are named and stacked; files of the first layout do not say."""


def save_generator(generator: Generator, params: Params, target: Target, path: str | Path) -> None:
    """Writes a trained generator as a ``.safetensors`` file; :func:`load_generator` reads it.

    Args:
        generator: The module.
        params: Its trained parameters.
        target: The classifier that it was trained for.
        path: The file; it is replaced in one move.
    """
    header = {"target": target.name, **module_options(generator)}
    header["sites"] = [(site.name, site.channels) for site in generator.sites]
    header["dtype"] = jnp.dtype(generator.dtype).name
    header["layout"] = _LAYOUT
    save_module(path, _KIND, header, params)


def load_generator(path: str | Path, target: Target) -> tuple[Generator, Params]:
    """Returns the generator of a file that :func:`save_generator` wrote, and its parameters.

    Args:
        path: The file, such as ``generator.safetensors`` in the folder of a run.
        target: The classifier to explain: the one that the generator was trained for.

    Raises:
        InputError: There is no such file, it holds no generator, it is one for another target, or another
            version of jaxpath wrote it.
    """
    header, params = read_module(path, _KIND)
    sites = [[site.name, site.channels] for site in target.sites]
    if header["sites"] != sites or header["num_classes"] != target.num_classes:
        raise wrong_target(header, target, path, _KIND)
    if header.get("layout") != _LAYOUT:
        raise InputError(
            f"the generator in {path} has layout {header.get('layout', 1)} of parameters, this version of "
            f"jaxpath reads layout {_LAYOUT}: use the version that wrote it, or train the generator again"
        )
    options = {name: value for name, value in header.items() if name not in ("target", "sites", "layout")}
    # What JSON cannot say.
    converted = {"dtype": jnp.dtype(options["dtype"]), "cuts": tuple(options["cuts"])}
    return Generator(target.sites, **{**options, **converted}), params
