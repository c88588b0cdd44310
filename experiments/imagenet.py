r"""Trains a generator for an ImageNet ResNet or VGG, on a folder of photographs or on TFDS.

    python experiments/imagenet.py --model resnet50 --weights hf://timm/resnet50.tv_in1k \
        --data tfds:imagenet2012 --data-dir gs://bucket/tfds --eval-split validation \
        --batch-size 1024 --epochs 5 --precision bfloat16 --out runs/resnet50

    python experiments/imagenet.py --model resnet18 --weights resnet18.safetensors \
        --data folder:photographs --eval-fraction 0.2 --batch-size 16 --steps 300 --out runs/resnet18

The same command runs on one CPU, several GPUs or every host of a TPU pod: the batch size is that of all
devices together. A folder holds one folder per class, named by WordNet id, with wnids.json (all 1000 ids
in the order of the classes) inside or beside it if classes are missing. Without ``--eval-split``, a seeded
share of the images is held out.
"""

from jaxpath import runs

if __name__ == "__main__":
    runs.main(runs.run_generator, runs.Imagenet, __doc__)
