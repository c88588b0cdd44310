r"""What one training step of a generator sends between devices and keeps on each, without running it.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_PLATFORMS=cpu \
        python experiments/scaling.py --models resnet18 vgg16_bn --batch-size 32

The step is compiled for the devices that are there (eight virtual ones on the CPU will do) and read: nothing
is trained and no weights are needed. Prints the table of docs/scaling.md and writes ``results.json``. The
bytes on the wire hold everywhere; the memory is that of the compiler at hand, so ask it where you train.
"""

from jaxpath import runs
from jaxpath.runs import scaling

if __name__ == "__main__":
    runs.main(scaling.measure_scaling, scaling.Scaling, __doc__)
