"""What is chosen by name on a command line, without importing what the names stand for."""

from typing import Literal, get_args

Ablation = Literal["zero", "mean", "interchange"]
"""What a closed neuron is set to."""

ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
"""Pillow's filters by the names that timm and torchvision use."""

LARGEST = {"mean": 1.0, "std": 10.0}
"""Above these, a number of the preprocessing is one of pixel values up to 255."""

CLIP = "openai/clip-vit-base-patch16"
"""The encoder of pictures and words, unless another is named: the official default."""
