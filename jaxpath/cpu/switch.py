"""The switch that leaves CPUs to plain XLA."""

import os

VARIABLE = "JAXPATH_PLAIN_XLA"
"""Environment variable; set it before the program starts."""


def plain_xla() -> bool:
    """Whether the environment asks for programs as ``jax.jit`` and XLA make them by themselves.

    No form of a convolution or pool is chosen by shape then, no option given to the compiler, no barrier put
    into a program, and the process's memory is left to the C library.
    """
    return os.environ.get(VARIABLE, "") not in ("", "0")
