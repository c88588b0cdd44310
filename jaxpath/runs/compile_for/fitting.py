"""The largest batch whose step fits into a chip's memory."""

from collections.abc import Callable
from typing import Any, TypeVar

from jaxpath.devices.chips import Chip

C = TypeVar("C", bound=Any)

_MOST_TRIES = 8


def largest_batch(compile_step: Callable[[int], C], first: C, batch_size: int, chip: Chip) -> tuple[int, C]:
    """The largest batch that fits, in steps of an eighth of a power of two, and its program.

    Memory is a fixed part and one for each image, so that two programs tell where to look; the batch that is
    returned was compiled. If not even the first batch fits, smaller ones are tried.

    Args:
        compile_step: Batch -> a program with ``memory``, bytes, or None where the compiler itself gave up.
        first: That of ``batch_size``.
        batch_size: Where to start.
        chip: Says how much memory there is.
    """
    known = {batch_size: first}

    def fits(count: int) -> bool:
        if count not in known:
            known[count] = compile_step(count)
        return known[count].memory is not None and known[count].memory <= chip.memory

    low, high = 0, None
    count = batch_size
    for _ in range(_MOST_TRIES):
        if fits(count):
            low = max(low, count)
        else:
            high = count if high is None else min(high, count)
        if high is not None and high - low <= _grain(high):
            break
        following = _next(low, high, known, chip)
        if following in known:
            break
        count = following
    return (low, known[low]) if low else (batch_size, first)


def _next(low: int, high: int | None, known: dict[int, Any], chip: Chip) -> int:
    if low == 0:
        return max(1, (high or 2) // 2)
    sizes = sorted(count for count, program in known.items() if program.memory is not None)
    guess = 2 * low
    if len(sizes) > 1:
        few, many = sizes[0], sizes[-1]
        per_image = (known[many].memory - known[few].memory) / (many - few)
        if per_image > 0:
            guess = int(many + (chip.memory - known[many].memory) / per_image)
    grain = _grain(max(guess, low))
    guess = max(low + grain, guess // grain * grain)
    if high is not None and guess >= high:
        guess = low + max(grain, (high - low) // 2 // grain * grain)
    return guess


def _grain(count: int) -> int:
    return max(1, 2 ** (count.bit_length() - 4))
