r"""Compares explainers of one classifier on the same images at the same densities.

    python experiments/compare.py --model resnet20 --weights resnet20.safetensors \
        --data cifar10.npz --eval-split test --generators gencnp:run0/generator.safetensors \
        gencnp:run1/generator.safetensors --out runs/compare

Every explainer scores the neurons of each image; the best-scored are opened, over all sites at once, until
the density is reached exactly. Written are ``results.json``, ``curves.csv`` (one row per explainer and
density), ``table.md`` (one row per explainer) and figures. Generators of one name are runs with different
seeds: their rows are means, with 95 % intervals over the runs. The explainers that search, and integrated
gradients, take ``--search-images`` images only, drawn at random, and every row says how many it rests on.
Insertion and deletion take those images for all explainers; ``mdc_searched`` is the mean drop of confidence
on them.

``--ablation all`` scores the same pathways with closed neurons at 0, at their means, and at what an image of
another class has there, and prints what a switch for the class cannot pass, beside the controls ``random``,
``constant`` and ``taylor_signed``. ``contrastive`` searches at the smallest of the densities: give one alone.
"""

from jaxpath import runs
from jaxpath.runs import comparison

if __name__ == "__main__":
    runs.main(comparison.run_comparison, comparison.Comparison, __doc__)
