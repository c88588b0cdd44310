r"""Trains a generator for a CIFAR ResNet and evaluates it on images that it has not seen.

    python experiments/cifar10.py --model resnet20 --weights resnet20.safetensors \
        --data cifar10.npz --train-images cifar10_train.tar --out runs/cifar10

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). The generator
learns from ``--train-images`` (a folder or tar of class folders) together with the .npz file's training
images, and is scored on its test images. Six to eighteen minutes on two CPU cores with the default steps.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.run_generator, runs.Cifar10, __doc__)
