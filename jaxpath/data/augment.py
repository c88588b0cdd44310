"""How a picture enters a batch: the evaluation view, or a random view for training."""

from collections.abc import Callable

import numpy as np

from jaxpath.data.transforms import Picture, center_crop, flip, random_resized_crop, random_shift
from jaxpath.types import InputError, Preprocessing

Augment = Callable[[Picture, np.random.Generator, Preprocessing], np.ndarray]
"""``augment(picture, rng, preprocessing)`` -> uint8 [*preprocessing.crop, C].

``picture`` may be an image file that is not decoded yet: begin with
:func:`~jaxpath.data.transforms.decode`, :func:`~jaxpath.data.transforms.center_crop` or
:func:`~jaxpath.data.transforms.random_resized_crop`. With worker processes it must be a function
that can be pickled."""


def no_augmentation(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view."""
    del rng
    return center_crop(picture, preprocessing)


def crop_flip(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """A random part of the picture, mirrored at random: for photographs."""
    channels = len(preprocessing.mean)
    return flip(random_resized_crop(picture, rng, preprocessing.crop, channels=channels), rng)


def shift(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view moved by up to an eighth of its height: for digits."""
    image = center_crop(picture, preprocessing)
    return random_shift(image, rng, max(1, image.shape[0] // 8))


def small_shift(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view moved by up to a sixteenth of its height: 2 of 32 pixels, as FLINT does."""
    image = center_crop(picture, preprocessing)
    return random_shift(image, rng, max(1, image.shape[0] // 16))


def shift_flip(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """:func:`shift`, mirrored at random: 4 of 32 pixels, as usual for CIFAR (He et al. 2016)."""
    return flip(shift(picture, rng, preprocessing), rng)


AUGMENTATIONS: dict[str, Augment] = {
    "none": no_augmentation,
    "crop_flip": crop_flip,
    "shift": shift,
    "small_shift": small_shift,
    "shift_flip": shift_flip,
}


def make_augmentation(augment: str | Augment) -> Augment:
    """Returns the augmentation of this name, or the function itself.

    Raises:
        InputError: No such name.
    """
    if callable(augment):
        return augment
    if augment not in AUGMENTATIONS:
        raise InputError(f'there is no augmentation "{augment}"; choose one of {", ".join(AUGMENTATIONS)}')
    return AUGMENTATIONS[augment]
