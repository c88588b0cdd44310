r"""How fast a training step of the generator is, and how far above the unavoidable cost.

    python experiments/throughput.py --model resnet18 --image-size 64 --batch-size 32 --out runs/throughput

That cost, the *floor* of a step, is two forwards of the target and one gradient: a clean forward, and a gated
one with its gradient with respect to the gates, which every implementation has to do. Step, floor and all
else that is timed take turns in one run, a call each, and figures are medians. Nothing is loaded and nothing
is trained: weights and images are random, which changes no time. ``--data`` reads real images besides, to
time the input pipeline.

``--against-torch`` times the same step in plain PyTorch (jaxpath/runs/throughput/torch_step.py,
``pip install torch``), eager or compiled, in the same turns. Written is ``results.json``.
"""

from jaxpath import runs
from jaxpath.runs import throughput

if __name__ == "__main__":
    runs.main(throughput.measure_throughput, throughput.Throughput, __doc__)
