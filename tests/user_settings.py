"""Programs whose last bit matters are compiled as they are for users, without the flags of conftest.py."""

from functools import partial

import jax

jit_as_for_users = partial(jax.jit, compiler_options={"xla_cpu_use_fusion_emitters": True})
