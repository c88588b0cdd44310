"""What the C library does with freed memory, in processes of their own."""

import os
import platform
import subprocess
import sys

import pytest

from jaxpath.cpu.switch import VARIABLE

PROGRAM = """
import re
from pathlib import Path
from jaxpath.cpu.memory import keep_freed_memory

def heap():
    bounds = re.search(r"(\\w+)-(\\w+).*\\[heap\\]", Path("/proc/self/maps").read_text())
    return int(bounds[2], 16) - int(bounds[1], 16)

keep_freed_memory()
before = heap()
block = bytearray(2**27)
del block
print(heap() - before >= 2**27)
"""
"""Says whether a large block came from the heap, and the heap has kept it."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
@pytest.mark.parametrize(("setting", "kept"), [("0", "True"), ("1", "False")])
def test_freed_blocks_stay_in_the_heap_unless_the_switch_says_no(setting, kept):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    environment.pop("GLIBC_TUNABLES", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {VARIABLE: setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == kept
