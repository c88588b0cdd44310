"""What a program's surroundings say about the convolutions in it."""

from typing import NamedTuple


class Hints(NamedTuple):
    """Known while a program is traced.

    Attributes:
        barriers: ``lax.optimization_barrier`` holds until operations are fused.
        read_once: See :func:`jaxpath.compiling.read_once`.
        direct: See :func:`jaxpath.compiling.direct_sums`.
    """

    barriers: bool = False
    read_once: bool = False
    direct: bool = False
