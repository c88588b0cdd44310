"""How FLINT's interpreters are trained: a published recipe, and what is changed of it."""

import dataclasses
from typing import Literal

from jaxpath import flint


@dataclasses.dataclass(frozen=True)
class FlintOptions:
    """How an interpreter is trained; None takes the value of the recipe.

    Attributes:
        epochs: Passes over the training images; None takes those of the recipe, and more of a data set that
            is far smaller than the published one.
        batch_size: Images per step, over all devices.
        learning_rate: Adam's.
        schedule: Constant as published, or a warm-up over the first twentieth and a cosine to 0.
        attributes: Number J of attributes.
        reconstruction_weight: gamma, of the decoder's error.
        output_weight: beta, of the output fidelity.
        sparsity_weight: Of the attributes' mean size.
        entropy_weight: delta, of the entropies; 0 is the published ablation.
        diversity: mu, of the diversity within the entropy term.
        augment: Random view of each image: none, small_shift, shift, shift_flip or crop_flip.
        views: Fixed views of each image, for which a frozen classifier is run once; None runs it at each
            step.
        checkpoint_every: Steps between two checkpoints.
        num_workers: Processes that read images; 0 uses threads.
        relevance_images: Training images from which global relevance and activating samples are found.
        maximised_pairs: Pairs of attribute and class whose maximisation is drawn; 0 draws none.
        maximised_variation: l_tv, weight of the total variation in these pictures: more leaves fewer strokes.
    """

    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    attributes: int | None = None
    reconstruction_weight: float | None = None
    output_weight: float | None = None
    sparsity_weight: float | None = None
    entropy_weight: float | None = None
    diversity: float | None = None
    augment: str = "none"
    views: int | None = None
    checkpoint_every: int = 2000
    num_workers: int = 0
    relevance_images: int = 1020
    maximised_pairs: int = 12
    maximised_variation: float | None = None


def apply_options(recipe: flint.Recipe, options: FlintOptions) -> flint.Recipe:
    """The recipe with the options that are not None in place of its own values.

    Weights of losses apply only in stages where the recipe's weight is not 0: a term that the recipe has not
    switched on yet stays off.

    >>> recipe = apply_options(flint.MNIST, FlintOptions(output_weight=2.0))
    >>> recipe.stages[1].output, recipe.stages[3].output
    (0.0, 2.0)
    """
    weights = {
        "reconstruction": options.reconstruction_weight,
        "output": options.output_weight,
        "sparsity": options.sparsity_weight,
        "entropy": options.entropy_weight,
        "diversity": options.diversity,
    }
    changed = {name: value for name, value in weights.items() if value is not None}
    stages = {
        epoch: stage._replace(**{name: value for name, value in changed.items() if getattr(stage, name)})
        for epoch, stage in recipe.stages.items()
    }
    interpreter = dict(recipe.interpreter)
    if options.attributes is not None:
        interpreter["num_attributes"] = options.attributes
    schedule = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate")}
    replaced = {name: value for name, value in schedule.items() if value is not None}
    return recipe._replace(stages=stages, interpreter=interpreter, **replaced)
