"""What XLA is told beyond a program: for which devices it is, what to compute once, how hard to optimise."""

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

import jax
from jax import Array, lax
from jax.sharding import AbstractMesh, Mesh

from jaxpath.cpu import compiler
from jaxpath.cpu.hints import Hints
from jaxpath.cpu.switch import plain_xla

T = TypeVar("T")


class _Program(NamedTuple):
    """What is known, while a program is traced, of how it will be compiled."""

    platform: str
    barriers: bool = False


_FEW = 16
"""Values that are computed anew rather than kept."""

_PROGRAM = jax.make_user_context(default_value=None)
_HINTS = jax.make_user_context(default_value=Hints())


def jit(function: Callable[..., Any], *, platform: str | None = None, **options: Any) -> Any:
    """``jax.jit`` for programs whose speed matters.

    On a CPU, :func:`computed_once` takes effect in them, and they use the widest vectors. It is for outermost
    programs: JAX refuses one of these that is called while another is traced.

    On an accelerator, products of float32 numbers are exact to float32, where JAX would let a TPU round their
    factors to bfloat16 and a GPU to TF32; ``JAX_DEFAULT_MATMUL_PRECISION`` chooses otherwise. Products of
    bfloat16 numbers are what they are.

    Args:
        function: As ``jax.jit`` takes it.
        platform: Kind of the devices that it is compiled for: :func:`platform_of` its mesh. None: that of
            JAX's default device.
        **options: Keywords of ``jax.jit``.
    """
    platform = platform or _default_platform()
    settings = compiler.settings().fast if platform == "cpu" else {}
    program = _Program(platform, barriers=bool(settings))

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with _PROGRAM(program), _exact_products(platform):
            return function(*args, **kwargs)

    return jax.jit(traced, compiler_options=dict(settings) or None, **options)


def platform() -> str:
    """The kind of device for which what is traced here will be compiled: ``"cpu"``, ``"tpu"``, ``"gpu"``.

    It is that of :func:`jit` or :func:`traced_for` where one of them is at work, else that of JAX's default
    device.
    """
    program = _PROGRAM.value
    return _default_platform() if program is None else program.platform


def traced_for(platform: str) -> AbstractContextManager[None]:
    """What is traced within is compiled for ``platform``, whatever devices this host has.

    For programs that :func:`jit` does not compile.
    """
    return _PROGRAM(_Program(platform))


def platform_of(mesh: Mesh | AbstractMesh) -> str:
    """The kind of devices in a mesh; an abstract one has to be made with ``abstract_device``."""
    if isinstance(mesh, AbstractMesh):
        return mesh.abstract_device.platform
    return mesh.devices.flat[0].platform


def for_cpu() -> bool:
    """Whether what is traced here may take the forms of :mod:`jaxpath.cpu`."""
    return platform() == "cpu" and not plain_xla()


def barriers_hold() -> bool:
    """Whether what is traced here is compiled by :func:`jit`, on a CPU that takes its settings."""
    return _PROGRAM.value is not None and _PROGRAM.value.barriers


def computed_once(x: T) -> T:
    """``x``, whose arrays are computed once and read from memory where :func:`jit` compiles for a CPU.

    XLA would fuse their computation into each reader: the gradient of one residual block's activation then
    computes those of all blocks before it anew. A no-op on accelerators, which decide well, and for a few
    values: nothing is gained there, and XLA fails to compile some programs with a barrier of twelve.
    """
    few = all(leaf.size <= _FEW for leaf in jax.tree.leaves(x))
    return lax.optimization_barrier(x) if for_cpu() and not few else x


def read_once(holds: bool = True) -> AbstractContextManager[None]:
    """Promises that the result of each convolution traced within is used only once, by a cheap operation.

    An example is a frozen network, whose convolutions are followed by a normalisation with constants and a
    rectifier; in reverse, too, only one gradient reads the result. A CPU may then compute those operations in
    the same loop as the convolution. Without the promise this would be slow, because XLA would compute the
    convolution again for each operation that reads it.

    Args:
        holds: False takes the promise back within an outer ``read_once()``.
    """
    return _HINTS(_HINTS.value._replace(read_once=holds))


def direct_sums() -> AbstractContextManager[None]:
    """Each convolution that is traced within is sums of products of value and weight, in JAX's operations.

    For code that reads the jaxpr, such as LRP: the products of Winograd's form are not those of the
    convolution.
    """
    return _HINTS(_HINTS.value._replace(direct=True))


def hints() -> Hints:
    """What is known here about the convolutions that are traced."""
    return _HINTS.value._replace(barriers=barriers_hold())


def run_once(function: Callable[..., Any], key: Array, *arguments: Any) -> Any:
    """Calls ``function``, such as one that makes parameters, as one program instead of op by op."""
    # Options are for outermost programs.
    outermost = not isinstance(key, jax.core.Tracer)
    options = dict(compiler.settings().quick) if outermost and platform() == "cpu" else {}
    return jax.jit(function, compiler_options=options or None)(key, *arguments)


def _exact_products(platform: str) -> AbstractContextManager[Any]:
    """Within, products of float32 numbers are exact to float32, unless somebody chose a precision."""
    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    if platform == "cpu" or chosen is not None:
        return contextlib.nullcontext()
    return jax.default_matmul_precision("float32")


def _default_platform() -> str:
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform
