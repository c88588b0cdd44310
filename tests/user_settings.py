"""Programs whose last bit matters are compiled as they are for users, without the flags of conftest.py."""

import os
from functools import partial

import jax

from jaxpath.compiling import jit
from jaxpath.cpu.compiler import SETTINGS

if os.environ.get("JAXPATH_TEST_XLA") == "users":
    # As the library compiles its own steps: under a plain jax.jit, XLA may fuse two programs differently.
    jit_as_for_users = jit
else:
    # With most optimisations off, nothing is fused; XLA's older code generator would still round differently,
    # and an exponential where barriers do not hold.
    kept = "xla_disable_hlo_passes"
    jit_as_for_users = partial(
        jax.jit, compiler_options={"xla_cpu_use_fusion_emitters": True, kept: SETTINGS.fast[kept]}
    )
