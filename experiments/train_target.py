r"""Trains a target from scratch, for those who bring data and no weights.

    python experiments/train_target.py --model resnet18 --data folder:photographs --epochs 90 \
        --optimizer sgd --train-learning-rate 0.4 --train-batch-size 1024 --out runs/target

    python experiments/train_target.py --model vgg11_bn --data mnist.npz --image-size 32 --out runs/vgg

Writes weights.safetensors in torchvision's key names, which every other experiment loads, and results.json.
BatchNorm statistics are synchronised over all devices.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.run_target, runs.TargetRun, __doc__)
