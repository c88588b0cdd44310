"""What this CPU's vector units can do."""

import contextlib
import functools
from pathlib import Path


@functools.cache
def has_wide_vectors() -> bool:
    """Whether this CPU computes on 16 float32 numbers at once (AVX-512); known under Linux only."""
    with contextlib.suppress(OSError):
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    return False
