"""What happens to files on their way: they are cut short, bits flip, blocks are lost, names are wrong."""

from collections.abc import Callable, Sequence

import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]

_CLAIMS = (2**31 - 1, 2**40, 2**62, 2**64 - 1)


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """The beginning of the file, perhaps nothing of it."""
    return content[: int(rng.integers(0, len(content)))]


def flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """One to 64 bits flip anywhere."""
    damaged = bytearray(content)
    for place in rng.integers(0, len(damaged), int(2 ** rng.integers(0, 7))):
        damaged[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(damaged)


def flip_early_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bits flip in the first 256 bytes, where sizes, types and offsets stand."""
    head = content[:256]
    return flip_bits(head, rng) + content[len(head) :] if head else content


def lose_block(content: bytes, rng: np.random.Generator) -> bytes:
    """A block in the middle reads as zeros."""
    start = int(rng.integers(0, len(content)))
    length = min(int(rng.integers(1, 4096)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def remove_block(content: bytes, rng: np.random.Generator) -> bytes:
    """A block in the middle is missing, so that all after it is somewhere else."""
    start = int(rng.integers(0, len(content)))
    return content[:start] + content[start + int(rng.integers(1, 4096)) :]


def append(content: bytes, rng: np.random.Generator) -> bytes:
    """Something follows that does not belong there."""
    return content + rng.bytes(int(rng.integers(1, 4096)))


def huge_numbers(content: bytes, rng: np.random.Generator) -> bytes:
    """Eight bytes near the start claim an enormous size."""
    start = int(rng.integers(0, min(len(content), 128)))
    claimed = _CLAIMS[int(rng.integers(len(_CLAIMS)))].to_bytes(8, "little")
    return content[:start] + claimed + content[start + 8 :]


def empty(content: bytes, rng: np.random.Generator) -> bytes:
    """Nothing was written."""
    del content, rng
    return b""


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """The name is right and nothing else."""
    return rng.bytes(len(content))


DAMAGES: Sequence[Damage] = (
    truncate,
    flip_bits,
    flip_early_bits,
    lose_block,
    remove_block,
    append,
    huge_numbers,
    empty,
    noise,
)
