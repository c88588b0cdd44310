"""What it costs to adapt a classifier: tracing a ResNet-50, and a step of a ResNet-18 beside the native one.

    python experiments/adapting.py --image-size 64 --batch-size 4

Both networks are plain Linen modules without a thought of gates; nothing is loaded and nothing is trained.
All that is timed takes turns in one run, a call each, and figures are medians.
"""

from jaxpath import runs
from jaxpath.runs import adapting

if __name__ == "__main__":
    runs.main(adapting.measure_adapting, adapting.Adapting, __doc__)
