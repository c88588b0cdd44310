"""What is said of data on stderr."""

import sys

import jax

_told: set[str] = set()


def tell_once(remark: str) -> None:
    """Says something on stderr, once in a process and by the first process only."""
    line = f"note: {remark}"
    if line not in _told and jax.process_index() == 0:
        _told.add(line)
        print(line, file=sys.stderr, flush=True)
