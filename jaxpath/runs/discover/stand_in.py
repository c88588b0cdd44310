"""Embeddings of scored images and of words, by class means of a classifier's trunk."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath import data, discover, metrics, targets
from jaxpath.files import prepare_folder, read_json
from jaxpath.runs.nets import load_net
from jaxpath.runs.options import DataOptions
from jaxpath.runs.run import say
from jaxpath.runs.study import Study, images_at_once, make_study, open_data, open_session
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch
from jaxpath.targets.stages import Stages
from jaxpath.types import Batch, InputError

EMBEDDINGS = "embeddings.npz"
"""Embeddings in the folder of their run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StandInRun(DataOptions, Launch):
    """Embeddings without an encoder of language, for --embeddings of the commands that name units.

    Attributes:
        weights: Of the classifier whose trunk embeds: .safetensors, .pth, or hf://owner/name.
        model: Name of the classifier.
        out: Folder of embeddings.npz.
        words: .json of further words: each with the names of the classes that it is true of.
        seed: Of the held-out share.
    """

    weights: str
    model: str = "vgg16_gap"
    out: Path = Path("runs/stand_in")
    words: Path | None = None
    seed: int = 0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)


def run_stand_in(options: StandInRun) -> discover.Embeddings:
    """Embeds the scored images and the words, and writes :data:`EMBEDDINGS`."""
    groups = None if options.words is None else read_words(options.words)
    train, held_out = open_data(options, seed=options.seed)
    net = load_net(options.model, options.weights, options=options.loading, like=train)
    study = make_study(net, train, held_out)
    embeddings = class_mean_embeddings(study, groups=groups)
    prepare_folder(options.out)
    discover.save_embeddings(embeddings, options.out / EMBEDDINGS)
    say(f"{len(embeddings.concepts)} words, {len(embeddings.images)} images: {options.out / EMBEDDINGS}")
    return embeddings


def read_words(path: Path) -> dict[str, list[str]]:
    """Words and the classes that each is true of, from a .json file.

    Raises:
        InputError: The file holds something else.
    """
    expected = 'a .json file such as {"dog": ["beagle", "Samoyed"]}'
    words = read_json(path, expected)
    if not isinstance(words, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in words.values()
    ):
        raise InputError(f"{path} holds no lists of class names by words; expected {expected}")
    return words


def class_mean_embeddings(study: Study, *, groups: dict[str, list[str]] | None = None) -> discover.Embeddings:
    """Embeddings of the held-out images of a study by class means over its training images.

    Args:
        study: The classifier whose trunk embeds, and the images.
        groups: As in :func:`jaxpath.discover.class_mean_embeddings`.
    """
    target = study.target
    stages = Stages(target, targets.partition_at(target, "trunk"))
    session = open_session(target, study.params, batch_size=images_at_once(target))

    def read(params: Any, batch: Batch) -> dict[str, Array]:
        read = stages.read(params, batch["image"])
        return {"features": jnp.concatenate([values.reshape(len(values), -1) for values in read], axis=1)}

    def of(source: data.Source, title: str) -> dict[str, np.ndarray]:
        passes = metrics.source_passes(session, source, title=title)
        return metrics.per_image(read, study.params, passes, mesh=session.mesh)

    learned, scored = of(study.train, "images to learn from"), of(study.held_out, "scored images")
    names = data.names_of_classes(study.train, target.num_classes)
    return discover.class_mean_embeddings(
        scored["features"], learned["features"], learned["labels"], names, groups=groups
    )
