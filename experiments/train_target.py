r"""Trains a target, from scratch or from the trunk of another one, for those who bring data.

    python experiments/train_target.py --model resnet18 --data folder:photographs --epochs 90 \
        --optimizer sgd --train-learning-rate 0.4 --train-batch-size 1024 --out runs/target

    python experiments/train_target.py --model vgg11_bn --data mnist.npz --image-size 32 --out runs/vgg

    python experiments/train_target.py --model vgg16 --init-from vgg16_trunk.safetensors --freeze trunk \
        --data folder:photographs --num-classes 20 --train-augment none --out runs/head

``--init-from`` takes a trunk that was trained before, and as much of its head as fits; ``--freeze`` says what
of it stays. What is frozen is run once per image where images are not augmented, or have ``--views`` that are
drawn once, so that a head on thousands of photographs takes minutes.

Writes weights.safetensors in torchvision's key names, which every other experiment loads, and results.json.
BatchNorm statistics are synchronised over all devices.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.run_target, runs.TargetRun, __doc__)
