r"""What training steps cost on accelerators, from their compilers, on a machine that has none.

    python experiments/compile_for.py --chips v5e-1 v5e-16 --models resnet50 --batch-size 128 --out runs/v5e

Compiles the very step that an experiment runs, for TPUs by ``pip install 'jax[tpu]'`` and for GPUs by
``pip install 'jax[cuda13]'``, from shapes alone: nothing is run and no weight is allocated. Prints and
writes to ``results.json``: memory, operations, bytes, estimated time, what the chips exchange, the largest
kernels, and the same of the step's floor. ``--fit`` looks for the largest batch. docs/scaling.md says what
such figures are, and are not.
"""

from jaxpath.runs.compile_for import CompileFor, compile_for, without_devices
from jaxpath.start_up import Command, start


def run(options: CompileFor) -> None:
    """Writes what was found; nothing is returned."""
    compile_for(options)


if __name__ == "__main__":
    # First of all: CUDA's plugin would give up on a machine without a driver.
    without_devices()
    start(Command(CompileFor, run, __doc__ or ""))
