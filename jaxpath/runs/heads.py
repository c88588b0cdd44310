"""Training behind a frozen part: what each step is given, and what it does."""

from collections.abc import Mapping
from typing import NamedTuple

from jax import Array

from jaxpath import data
from jaxpath.devices import AXIS
from jaxpath.runs.features import Views, feature_batches
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run
from jaxpath.targets.objective import Forward, Trained
from jaxpath.targets.partition import WHOLE, Partition, join_params
from jaxpath.targets.stages import Stages, named, read_of
from jaxpath.types import Batch, Params, Target


class Feeding(NamedTuple):
    """What a training step is given, and how it runs the classifier on it.

    Attributes:
        batches: Endless, resumable.
        forward: None trains the whole classifier on images.
    """

    batches: data.Batches | data.ArrayBatches
    forward: Forward | None


def feed(
    target: Target,
    params: Params,
    source: data.Source,
    options: ClassifierOptions,
    *,
    partition: Partition,
    run: Run,
) -> Feeding:
    """Batches for a training, of features where the frozen part is run once per view of each image.

    Args:
        target: The classifier.
        params: Its parameters.
        source: The training images.
        options: How it is trained.
        partition: What is frozen.
        run: Its folder, in which features are kept, and its seed.

    Raises:
        InputError: Features would take too much memory.
    """
    views = options.start.num_views(options.train_augment)
    if views is None:
        images = data.train_batches(
            source,
            batch_size=options.train_batch_size,
            preprocessing=target.preprocessing,
            seed=run.seed,
            augment=options.train_augment,
        )
        return Feeding(images, None if partition == WHOLE else _from_images(target, partition))
    stages = Stages(target, partition, axis_name=AXIS)
    # What is read of one image depends on no other one, so that no axis of devices is needed for it.
    alone = Stages(target, partition)

    def read(params: Params, batch: Batch) -> dict[str, Array]:
        return named(alone.read(params, batch["image"]))

    batches = feature_batches(
        target,
        params,
        source,
        read,
        Views(views, options.train_augment, options.train_batch_size),
        run=run,
    )

    def forward(trained: Params, frozen: Params, batch: Mapping[str, Array], keys: Array) -> Trained:
        return stages.rest(trained, frozen, read_of(batch), keys)

    return Feeding(batches, forward)


def _from_images(target: Target, partition: Partition) -> Forward:
    """The frozen part at each step, and the trained one on what it says."""
    stages = Stages(target, partition, axis_name=AXIS)

    def forward(trained: Params, frozen: Params, batch: Mapping[str, Array], keys: Array) -> Trained:
        activation = stages.activation(join_params(frozen, trained), batch["image"])
        return stages.entered(trained, frozen, activation, keys)

    return forward
