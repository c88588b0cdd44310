r"""Explains the same images by two architectures, and shows how their pathways differ.

    python experiments/compare_architectures.py --models resnet18 vgg11_bn --data mnist.npz \
        --out runs/architectures

Two networks have no neuron in common. What their pathways may have in common is measured here: how dense they
are at which relative depth, which classes share neurons (the correlation of the two class-by-class IoU
matrices, with Mantel's test), whether class pathways transfer, how much they leak, and whether the gradient
through them reaches the same pixels, beside the same for another image and for the gradient of the whole
network.

Classifiers and generators are trained here and kept in the output folder, one folder per model: the same
command continues where it was stopped, and another ``--explainer`` or ``--density`` uses them again. The same
model twice compares two seeds, which tells how much of a difference is the architecture's. Written are
``results.json``, ``architectures.png`` and each model's ``pathways.npz``.
"""

from jaxpath import runs
from jaxpath.runs import architectures

if __name__ == "__main__":
    runs.main(architectures.compare_architectures, architectures.ArchitectureComparison, __doc__)
