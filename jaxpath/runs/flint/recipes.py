"""What FLINT's runs follow: published recipes, one for frozen classifiers, and how many steps they are."""

from collections.abc import Callable
from typing import NamedTuple

import optax

from jaxpath import data, flint, targets
from jaxpath.runs.flint.options import FlintOptions
from jaxpath.runs.schedules import warmup_cosine
from jaxpath.types import Target


class Published(NamedTuple):
    """A classifier with its interpreter, as published.

    Attributes:
        make_target: Makes the classifier.
        recipe: How both are trained.
        maximisation: How attributes are pictured.
    """

    make_target: Callable[..., Target]
    recipe: flint.Recipe
    maximisation: flint.Maximisation


LEAST_IMAGES = 6000
"""Images that a recipe's epoch shows at least; the published data sets have 50,000 and more."""

MNIST = Published(targets.lenet, flint.MNIST, flint.MNIST_MAXIMISATION)
"""MNIST and FashionMNIST."""

QUICKDRAW = Published(targets.resnet18_normless, flint.QUICKDRAW, flint.MNIST_MAXIMISATION)
"""QuickDraw with ten classes."""

CIFAR10 = Published(targets.resnet18_normless, flint.CIFAR10, flint.CIFAR10_MAXIMISATION)
"""CIFAR-10."""


def post_hoc_recipe(target: Target, sites: tuple[str, ...] = ()) -> flint.Recipe:
    """CIFAR-10's losses, with a decoder of transposed convolutions from about 8 x 8 up to the image.

    Our reading: no script of the post-hoc variant is public. Attributes keep a slope below 0, as on MNIST: in
    a short run at a high rate those of a ReLU all die when the sparsity sets in.

    Args:
        target: The classifier.
        sites: Feature maps that the attributes read; none takes the last of each of the two smallest sizes.
    """
    doublings = max(1, (max(target.preprocessing.crop) - 1).bit_length() - 3)
    widths = tuple(8 * 2**i for i in reversed(range(doublings - 1)))
    interpreter = {
        **flint.CIFAR10.interpreter,
        "slope": flint.MNIST.interpreter["slope"],
        "decoder": "conv",
        "grid_channels": 16,
        "decoder_widths": widths,
    }
    return flint.CIFAR10._replace(sites=sites, interpreter=interpreter, restart=None)


def stretched(recipe: flint.Recipe, source: data.Source) -> flint.Recipe:
    """The recipe for a data set that may be far smaller than the one for which it was published.

    With few images an epoch is over before a stage has had an effect, and attributes die as soon as the
    sparsity sets in. So each epoch counts as many passes as make :data:`LEAST_IMAGES`: our choice.

    >>> from jaxpath import data
    >>> recipe = stretched(flint.MNIST, data.digits("train"))
    >>> recipe.epochs, list(recipe.stages)
    (60, [1, 6, 11, 21])
    """
    passes = -(-LEAST_IMAGES // len(source))
    restart = recipe.restart
    return recipe._replace(
        epochs=recipe.epochs * passes,
        stages={(epoch - 1) * passes + 1: weights for epoch, weights in recipe.stages.items()},
        restart=None if restart is None else ((restart[0] - 1) * passes + 1, restart[1]),
    )


def recipe_steps(recipe: flint.Recipe, source: data.Source) -> int:
    """Steps of a recipe, at least one.

    Rounded down as in all runs of the published recipes, where :func:`jaxpath.runs.steps_of` rounds to the
    nearest.
    """
    return max(1, int(recipe.epochs * len(source)) // recipe.batch_size)


def make_optimizer(
    recipe: flint.Recipe, options: FlintOptions, source: data.Source
) -> optax.GradientTransformation:
    """Adam by the schedule of ``options``: as the recipe says, or a warm-up and a cosine."""
    if options.schedule == "cosine":
        return optax.adam(warmup_cosine(recipe.learning_rate, recipe_steps(recipe, source), warmup=0.05))
    if recipe.restart is None:
        return flint.adam(recipe.learning_rate)
    epoch, rate = recipe.restart
    restart_step = -(-(epoch - 1) * len(source) // recipe.batch_size)
    return flint.adam(recipe.learning_rate, restart_step=restart_step, restart_rate=rate)
