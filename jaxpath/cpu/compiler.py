"""Settings of XLA's compiler for CPUs, which are used only where this release of JAX knows them."""

import functools
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath.cpu.switch import VARIABLE, plain_xla

Options = Mapping[str, Any]
"""``compiler_options`` of ``jax.jit``."""


class Settings(NamedTuple):
    """Options for programs of two kinds.

    Attributes:
        fast: For programs that run often.
        quick: For programs that run once.
    """

    fast: Options
    quick: Options


SETTINGS = Settings(
    fast={
        # The first drops all barriers before operations are fused. The second turns a sum into a tree of
        # sums of 32, which rounds less (the variance of 10^5 numbers is right to 1e-5 with it, to 1e-4
        # without) and takes four times as long.
        "xla_disable_hlo_passes": "cse_barrier_expander,tree_reduction_rewriter",
        # Bits. XLA takes half of what AVX-512 has, unless it is told so.
        "xla_cpu_prefer_vector_width": 512,
        # Products go to the library YNNPACK; convolutions do not, as up to 64 outputs would run on one
        # thread.
        "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    },
    # Optimising takes such a program four times as long as it saves.
    quick={"xla_backend_optimization_level": 0},
)

PLAIN = Settings({}, {})
"""XLA by itself."""


def settings() -> Settings:
    """The settings of this process; :data:`PLAIN` where the environment or XLA wants none.

    They are tried once per process, in a program that compiles in a twentieth of a second.
    """
    return PLAIN if plain_xla() else usable_settings()


@functools.cache
def usable_settings() -> Settings:
    """:data:`SETTINGS` if XLA takes all of them; else :data:`PLAIN`, with a warning."""
    reason = what_fails({**SETTINGS.quick, **SETTINGS.fast})
    if reason is None:
        return SETTINGS
    warnings.warn(
        f"jax {jax.__version__} does not take jaxpath's settings for CPUs ({reason}); programs are compiled "
        "as plain JAX compiles them, which is slower and as exact: install a release of jax that jaxpath was "
        f"tested with (requirements.txt), or set {VARIABLE}=1 to do without this warning",
        RuntimeWarning,
        stacklevel=2,
    )
    return PLAIN


def what_fails(options: Options) -> str | None:
    """Why XLA cannot use ``options``, from a small program that is compiled with them; None if it can.

    XLA refuses an option that it does not know, but says nothing of a pass that it does not know: whether a
    pass was left out shows in the compiled program.
    """
    numbers = jax.ShapeDtypeStruct((4096,), jnp.float32)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        traced = jax.jit(_two_readers_and_a_sum).lower(numbers)
    try:
        text = traced.compile(compiler_options=dict(options)).as_text() or ""
    except jax.errors.JaxRuntimeError as error:
        return str(error).splitlines()[0]
    if "opt-barrier" not in text:
        return "barriers do not hold: it knows no pass cse_barrier_expander"
    if "reduce-window" in text:
        return "sums become trees: it knows no pass tree_reduction_rewriter"
    return None


def _two_readers_and_a_sum(x: Array) -> tuple[Array, Array, Array]:
    once = lax.optimization_barrier(jnp.tanh(x))
    return once, jnp.exp(once), x.sum()
