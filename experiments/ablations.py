r"""Switches off one part of the generator or of its training after another, several seeds each.

    python experiments/ablations.py --model resnet20 --weights resnet20.safetensors --data cifar10.npz \
        --train-images cifar10_train.tar --steps 400 --out runs/ablations

Every run differs from the complete recipe by one switch. All are scored on the same held-out images by
experiments/compare.py, which writes results.json, curves.csv and curves.png: means over the seeds, with
95 % intervals. ``ablations.md`` holds the table. Runs that were stopped continue; finished ones are kept.
"""

from jaxpath import runs
from jaxpath.runs import ablation

if __name__ == "__main__":
    runs.main(ablation.ablate, ablation.AblationStudy, __doc__)
