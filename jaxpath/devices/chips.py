"""What the makers say of accelerators: the fastest that a chip computes and reads its memory."""

from typing import NamedTuple


class Chip(NamedTuple):
    """One accelerator.

    Attributes:
        name: As it is asked for, such as ``v5e`` or ``h100``.
        platform: ``"tpu"`` or ``"cuda"``.
        kinds: What ``device_kind`` of its devices is or contains.
        flops: Dense bfloat16 operations per second.
        bandwidth: Bytes per second from and to its memory.
        memory: Its bytes.
        clock: Cycles per second of a TPU's core, in which XLA estimates; 0 where it estimates no cycles.
    """

    name: str
    platform: str
    kinds: tuple[str, ...]
    flops: float
    bandwidth: float
    memory: float
    clock: float = 0.0


GIB = 2.0**30

CHIPS = (
    # https://cloud.google.com/tpu/docs: v4, v5e, v5p and v6e. The clock follows from the peak and the matrix
    # units of a chip, eight of 128 x 128 in v4 and v5p, four in v5e: 197e12 / (4 x 128 x 128 x 2) = 1.5e9.
    # That of v6e is taken to be v5p's.
    Chip("v4", "tpu", ("TPU v4",), 275e12, 1228e9, 32 * GIB, 1.05e9),
    Chip("v5e", "tpu", ("TPU v5 lite", "TPU v5e"), 197e12, 819e9, 16 * GIB, 1.5e9),
    Chip("v5p", "tpu", ("TPU v5p", "TPU v5"), 459e12, 2765e9, 95 * GIB, 1.75e9),
    Chip("v6e", "tpu", ("TPU v6 lite", "TPU v6e"), 918e12, 1640e9, 32 * GIB, 1.75e9),
    # NVIDIA's data sheets, of the modules for SXM.
    Chip("a100", "cuda", ("A100",), 312e12, 2039e9, 80e9),
    Chip("h100", "cuda", ("H100",), 989e12, 3350e9, 80e9),
    Chip("h200", "cuda", ("H200",), 989e12, 4800e9, 141e9),
)


def chip_of(device_kind: str) -> Chip | None:
    """The chip of which ``jax.Device.device_kind`` speaks; None for one that is not listed.

    >>> chip_of("TPU v5").name, chip_of("TPU v5 lite").name, chip_of("NVIDIA H100 80GB HBM3").name
    ('v5p', 'v5e', 'h100')
    """
    matches = [(len(kind), chip) for chip in CHIPS for kind in chip.kinds if kind in device_kind]
    return max(matches, key=lambda match: match[0])[1] if matches else None
