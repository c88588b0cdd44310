"""A trained generator as one file: its weights, and in the header how to build it and for which target."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from jaxpath.gencnp.generator import Generator
from jaxpath.targets.belonging import check_classifier, wrong_target
from jaxpath.targets.module_files import (
    module_fields,
    module_options,
    named_damage,
    names_parameters,
    read_module,
    save_module,
)
from jaxpath.types import InputError, Params, Target

_KIND = "generator"

_LAYOUT = 3
"""How parameters are named and stacked; files of the first layout do not say."""


def save_generator(
    generator: Generator, params: Params, target: Target, path: str | Path, *, target_params: Params
) -> None:
    """Writes a trained generator as a ``.safetensors`` file; :func:`load_generator` reads it.

    Args:
        generator: The module.
        params: Its trained parameters.
        target: The classifier that it was trained for.
        path: The file; it is replaced in one move.
        target_params: The classifier's parameters, of which the file keeps a digest.
    """
    header = module_options(generator)
    header["sites"] = [(site.name, site.channels) for site in generator.sites]
    header["dtype"] = jnp.dtype(generator.dtype).name
    header["layout"] = _LAYOUT
    save_module(path, _KIND, header, params, classifier=(target, target_params))


def load_generator(
    path: str | Path, target: Target, *, params: Params | None = None
) -> tuple[Generator, Params]:
    """Returns the generator of a file that :func:`save_generator` wrote, and its parameters.

    Args:
        path: The file, such as ``generator.safetensors`` in the folder of a run.
        target: The classifier to explain: the one that the generator was trained for.
        params: The classifier's parameters: those that the generator was trained for. None leaves them
            unchecked; files that jaxpath wrote before it kept their digest cannot be checked either.

    Raises:
        InputError: There is no such file, it is damaged or holds no generator, it is one for another target,
            preprocessing or parameters, or another version of jaxpath wrote it.

    >>> from tempfile import TemporaryDirectory
    >>> import jax
    >>> import numpy as np
    >>> from jaxpath import gencnp, targets
    >>> def ones(shapes):
    ...     return jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes)
    >>> target, key = targets.resnet8(image_size=8, channels=1), jax.random.key(0)
    >>> params = ones(jax.eval_shape(target.init, key))
    >>> _, reading = jax.eval_shape(lambda p: gencnp.read(target, p, jnp.zeros((1, 8, 8, 1))), params)
    >>> generator = Generator(target.sites, target.num_classes, width=32)
    >>> trained = ones(jax.eval_shape(generator.init, key, reading))
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/generator.safetensors"
    ...     save_generator(generator, trained, target, path, target_params=params)
    ...     loaded, weights = load_generator(path, target, params=params)
    >>> loaded == generator, jax.tree.all(jax.tree.map(np.array_equal, weights, trained))
    (True, True)
    """
    header, weights = read_module(path, _KIND)
    sites = [[site.name, site.channels] for site in target.sites]
    if header.get("sites") != sites:
        raise wrong_target(header, target, path, _KIND)
    check_classifier(header, target, params, path, _KIND)
    _check_layout(header, path)
    with named_damage(path, _KIND):
        options = module_fields(header)
        # What JSON cannot say.
        converted = {
            "dtype": jnp.dtype(options["dtype"]),
            "cuts": tuple(options["cuts"]),
            "tried_with": tuple(options.get("tried_with", ("zero",))),
        }
        return Generator(target.sites, **{**options, **converted}), weights


def read_generator(path: str | Path) -> tuple[dict[str, Any], Params]:
    """Header and parameters of a generator's file, whatever its target is.

    Raises:
        InputError: There is no such file, it is damaged or holds no generator, or another version wrote it.
    """
    header, weights = read_module(path, _KIND)
    _check_layout(header, path)
    return header, weights


def knows_its_classifier(path: str | Path) -> bool:
    """Whether a generator's file says for which weights it was trained; those of older versions do not."""
    return names_parameters(path, _KIND)


def _check_layout(header: Mapping[str, Any], path: str | Path) -> None:
    if header.get("layout") != _LAYOUT:
        raise InputError(
            f"the generator in {path} has layout {header.get('layout', 1)} of parameters, this version of "
            f"jaxpath reads layout {_LAYOUT}: use the version that wrote it, or train the generator again"
        )
