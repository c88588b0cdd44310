"""What is chosen by name on a command line, without importing what the names stand for."""

from typing import Literal, get_args

Ablation = Literal["zero", "mean", "interchange"]
"""What a closed neuron is set to."""

ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
"""Pillow's filters by the names that timm and torchvision use."""

LARGEST = {"mean": 1.0, "std": 10.0}
"""Above these, a number of the preprocessing is one of pixel values up to 255."""

ATTRIBUTIONS = (
    *("gradient", "input_x_gradient", "guided_backprop", "integrated_gradients", "smoothgrad"),
    *("gradcam", "gradcam_pp", "layercam", "lrp_epsilon", "lrp_gamma", "lrp_composite"),
)
"""Names of the attributions of pixels."""

CHANCE = 0.05
"""A word counts if at most this share of random orders of the pictures scores as high."""

LEAST_PERMUTATIONS = round(1 / CHANCE) - 1
"""Fewer random orders could not show it."""

CLIP = "openai/clip-vit-base-patch16"
"""The encoder of pictures and words, unless another is named: the official default."""
