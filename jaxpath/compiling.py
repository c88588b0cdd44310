"""What XLA is told beyond the program itself: what to compute once, and how hard to optimise."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array, lax

_KEEP_BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}
"""The pass that XLA runs on a CPU before it fuses operations, and that drops all barriers."""


def jit(function: Callable[..., Any], **options: Any) -> Any:
    """``jax.jit`` for programs whose speed matters; on a CPU, :func:`computed_once` takes effect in them.

    It is for outermost programs: JAX refuses one of these that is called while another is traced.
    """
    return jax.jit(function, compiler_options=_KEEP_BARRIERS if _on_cpu() else None, **options)


def computed_once(x: Array) -> Array:
    """``x``, which everything that needs it reads from memory, where :func:`jit` compiles for a CPU.

    XLA would fuse its computation into each reader: the gradient of one residual block's activation then
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
