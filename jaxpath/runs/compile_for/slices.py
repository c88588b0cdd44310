"""Slices of accelerators as XLA's compilers know them, without any device."""

import importlib.util
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
from jax.sharding import Mesh

from jaxpath.devices import make_mesh
from jaxpath.devices.chips import CHIPS, Chip
from jaxpath.errors import InputError, not_installed

_SHAPES = {
    "v5e": {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"},
    "v4": {
        **{1: "1x1x1", 4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8"},
        **{256: "4x8x8", 512: "8x8x8"},
    },
}
"""Chips -> how they are arranged; v6e is arranged like v5e, and v5p like v4."""

_LIKE = {"v6e": "v5e", "v5p": "v4"}

_TWO_CORES = ("v4", "v5p")
"""Chips whose slices are named after their cores; two are compiled for as one ("megacore")."""

_GPUS_PER_HOST = 8

_SPECS = {"a100": "a100_sxm_80", "h100": "h100_sxm", "h200": "h200"}
"""Chip -> name of XLA's description."""

SPECS_ADDRESS = "https://github.com/openxla/xla/tree/main/xla/backends/gpu/target_config/specs"

_COMPILERS = ("jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "jax-cuda13-plugin")

_WITHOUT_DEVICES = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    # Nothing is run: a second process may compile as well.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    # CUDA's plugin gives up where a library finds no driver.
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
}
"""What compilers ask the machine otherwise; libtpu takes minutes to find no TPU."""


class Slice(NamedTuple):
    """Chips that run one program.

    Attributes:
        name: As it was asked for.
        chip: Its kind.
        size: How many there are.
    """

    name: str
    chip: Chip
    size: int


def read_slice(name: str) -> Slice:
    """A slice by its name, such as ``v5e-16``.

    Raises:
        InputError: There is no such chip, or no slice of that size.

    >>> read_slice("v4-8").size, read_slice("v5e-8").size
    (4, 8)
    """
    kind, _, size = name.partition("-")
    chip = next((chip for chip in CHIPS if chip.name == kind), None)
    if chip is None or not size.isdigit() or int(size) < 1:
        known = ", ".join(chip.name for chip in CHIPS)
        raise InputError(f"--chips got {name!r}; expected a chip and a number, such as v5e-16, of {known}")
    count = int(size) // 2 if kind in _TWO_CORES else int(size)
    if chip.platform == "tpu":
        shapes = _shapes(chip)
        if count not in shapes or (kind in _TWO_CORES and int(size) % 2):
            factor = 2 if kind in _TWO_CORES else 1
            sizes = ", ".join(f"{kind}-{factor * number}" for number in shapes)
            raise InputError(f"there is no slice {name}; choose one of {sizes}")
    elif count > _GPUS_PER_HOST and count % _GPUS_PER_HOST:
        raise InputError(
            f"{name} is no whole number of hosts of {_GPUS_PER_HOST} GPUs; take a multiple of it"
        )
    return Slice(name, chip, count)


def slice_mesh(part: Slice, gpu_specs: Path | None = None) -> Mesh:
    """The mesh of a slice's devices, for which programs can be compiled and not run.

    Args:
        part: The slice.
        gpu_specs: Folder of XLA's descriptions of GPUs.

    Raises:
        InputError: The compiler for these chips is not installed, or a GPU's description is missing.
    """
    without_devices()
    devices = _tpu_devices(part) if part.chip.platform == "tpu" else _gpu_devices(part, gpu_specs)
    return make_mesh(devices)


def without_devices() -> None:
    """Keeps JAX from waiting for accelerators; to be called before it looks for any."""
    jax.config.update("jax_platforms", "cpu")
    os.environ.update(_WITHOUT_DEVICES)


def compiler_versions() -> dict[str, str]:
    """Versions by package of JAX and of those compilers for accelerators that are installed.

    The same step may cost a tenth more or less with another version.
    """
    installed = {name: _version(name) for name in _COMPILERS}
    return {name: number for name, number in installed.items() if number is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _shapes(chip: Chip) -> dict[int, str]:
    return _SHAPES[_LIKE.get(chip.name, chip.name)]


def _tpu_devices(part: Slice) -> list[Any]:
    if importlib.util.find_spec("libtpu") is None:
        raise not_installed(f"compiling for {part.name}", "no TPU but the compiler for TPUs", "'jax[tpu]'")
    flat = _LIKE.get(part.chip.name, part.chip.name) == "v5e"
    options: dict[str, Any] = {
        "topology_name": f"{part.chip.name}:{_shapes(part.chip)[part.size]}",
        "chips_per_host_bounds": (1, 1, 1) if part.size == 1 else (2, 2, 1),
        "num_slices": 1,
    }
    if part.chip.name in _TWO_CORES:
        options["chip_config_name"] = "megacore"
    if flat and part.size == 256:
        # Only a whole pod closes its rings.
        options["wrap"] = (True, True, False)
    return _described("tpu", part, **options)


def _gpu_devices(part: Slice, folder: Path | None) -> list[Any]:
    if importlib.util.find_spec("jax_plugins") is None or not any(
        importlib.util.find_spec(f"jax_plugins.xla_cuda{version}") for version in (12, 13)
    ):
        raise not_installed(f"compiling for {part.name}", "no GPU but the compiler for GPUs", "'jax[cuda13]'")
    file = f"{_SPECS[part.chip.name]}.txtpb"
    if folder is None or not (folder / file).is_file():
        raise InputError(
            f"{part.name} was asked for, but --gpu-specs names no folder with {file}, XLA's description of "
            f"that GPU; download it from {SPECS_ADDRESS}"
        )
    hosts = max(1, part.size // _GPUS_PER_HOST)
    return _described(
        "cuda",
        part,
        topology_name=part.name,
        target_config=(folder / file).read_text(encoding="utf-8"),
        topology=f"1x{hosts}x{part.size // hosts}",
    )


def _described(platform: str, part: Slice, **options: Any) -> list[Any]:
    name = options.pop("topology_name")
    try:
        return list(topologies.get_topology_desc(name, platform, **options).devices)
    except (jax.errors.JaxRuntimeError, RuntimeError, NotImplementedError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:300]
        raise InputError(
            f"the compiler for {part.name} did not start ({reason}); install jax and its compiler in one "
            "step, so that their releases fit, and compile in one process at a time"
        ) from error
