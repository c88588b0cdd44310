"""What glibc keeps of the memory that this process has freed."""

import contextlib
import ctypes
import os

from jaxpath.cpu.switch import plain_xla

_MALLOPT = {
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD, bytes
    -2: 2**26,  # M_TOP_PAD, bytes that are asked for at once
    -4: 0,  # M_MMAP_MAX, blocks outside the heap
    -8: 1,  # M_ARENA_MAX, heaps
}
"""Parameters of glibc's allocator, by their numbers in malloc.h."""


def keep_freed_memory() -> None:
    """Lets glibc reuse what is freed instead of handing it back to the kernel, which would clear it anew.

    A step on a CPU asks for hundreds of megabytes at once and frees them at its end: without this, a
    quarter of its time goes into page faults. Call it before JAX starts, whose threads would otherwise
    have heaps of their own. Other C libraries are left alone; whoever sets glibc's ``MALLOC_`` variables
    or ``GLIBC_TUNABLES`` keeps them.
    """
    if plain_xla() or any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for parameter, value in _MALLOPT.items():
            mallopt(parameter, value)
