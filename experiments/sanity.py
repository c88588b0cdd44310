r"""Asks whether pathways depend on what the classifier has learned.

    python experiments/sanity.py --model resnet20 --weights resnet20.safetensors --data cifar10.npz \
        --trained runs/cifar10/generator.safetensors --out runs/sanity

Two tests. The cascade re-initialises the classifier from its last layer down, and compares the pathways of
each stage with those of the trained one: an explainer whose pathways stay explains something else. Second, a
generator is trained for a classifier that has never learned anything, and its pathways are put on the trained
one, at equal densities beside those of ``--trained``: it must not score as well. Written are ``results.json``
and ``cascade.png``.
"""

from jaxpath import runs
from jaxpath.runs import sanity

if __name__ == "__main__":
    runs.main(sanity.check_sanity, sanity.SanityCheck, __doc__)
