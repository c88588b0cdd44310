"""What XLA is told beyond the program itself: what to compute once, on what vectors, how hard to optimise."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
from jax import Array, lax

T = TypeVar("T")

_OPTIONS = {
    # The first drops all barriers before operations are fused. The second turns a sum into a tree of sums of
    # 32, which rounds less (the variance of 10^5 numbers is right to 1e-5 with it, to 1e-4 without) and takes
    # four times as long.
    "xla_disable_hlo_passes": "cse_barrier_expander,tree_reduction_rewriter",
    # Bits. XLA takes half of what AVX-512 has, unless it is told so.
    "xla_cpu_prefer_vector_width": 512,
    # Products go to the library YNNPACK; convolutions do not, as up to 64 outputs would run on one thread.
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}

_COMPILED_HERE = jax.make_user_context(default_value=False)


def jit(function: Callable[..., Any], **options: Any) -> Any:
    """``jax.jit`` for programs whose speed matters.

    On a CPU, :func:`computed_once` takes effect in them, and they use the widest vectors. It is for outermost
    programs: JAX refuses one of these that is called while another is traced.
    """
    if not _on_cpu():
        return jax.jit(function, **options)

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with _COMPILED_HERE(True):
            return function(*args, **kwargs)

    return jax.jit(traced, compiler_options=_OPTIONS, **options)


def barriers_hold() -> bool:
    """Whether what is traced now is compiled by :func:`jit`, on a CPU."""
    return bool(_COMPILED_HERE.value)


@functools.cache
def has_wide_vectors() -> bool:
    """Whether this CPU computes on 16 float32 numbers at once (AVX-512); known under Linux only."""
    with contextlib.suppress(OSError):
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    return False


def computed_once(x: T) -> T:
    """``x``, whose arrays are computed once and read from memory where :func:`jit` compiles for a CPU.

    XLA would fuse their computation into each reader: the gradient of one residual block's activation then
    computes those of all blocks before it anew. Elsewhere it says nothing: accelerators decide well.
    """
    return lax.optimization_barrier(x) if _on_cpu() else x


def run_once(function: Callable[..., Any], key: Array, *arguments: Any) -> Any:
    """Calls ``function``, such as one that makes parameters, as one program instead of op by op."""
    # Optimising it costs a CPU four times what it saves. Options are for outermost programs.
    outermost = not isinstance(key, jax.core.Tracer)
    options = {"xla_backend_optimization_level": 0} if outermost and _on_cpu() else None
    return jax.jit(function, compiler_options=options)(key, *arguments)


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
