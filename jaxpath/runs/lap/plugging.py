"""Attention put into a trained classifier, by one command."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any

from jaxpath import lap, targets
from jaxpath.runs.lap.options import PlugInOptions, ScoreOptions
from jaxpath.runs.lap.reporting import report_lap
from jaxpath.runs.lap.training import plug_in
from jaxpath.runs.nets import Net, load_net, refuse_own_target
from jaxpath.runs.options import DataOptions
from jaxpath.runs.run import begin
from jaxpath.runs.study import known_by, make_study, open_data
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch
from jaxpath.types import InputError, Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlugInRun(DataOptions, Launch):
    """Attention for a trained classifier.

    Attributes:
        weights: The classifier's weights: .safetensors, .pth, or hf://owner/name.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the classifier.
        num_classes: Its classes; None keeps those of the weights.
        image_size: Side of the square images that it takes; None keeps that of the weights, or its own.
        seed: Of initialisation, order, draws and the held-out share.
    """

    weights: str
    out: Path = Path("runs/lap")
    model: str = "resnet18"
    num_classes: int | None = None
    image_size: int | None = None
    seed: int = 0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)
    lap: PlugInOptions = dataclasses.field(default_factory=PlugInOptions)
    score: ScoreOptions = dataclasses.field(default_factory=ScoreOptions)


def run_plug_in(options: PlugInRun) -> dict[str, Any]:
    """Puts attention into a trained classifier, and compares it with what it was.

    Returns:
        The figures of ``results.json``.
    """
    options.score.check()
    refuse_own_target(options.loading, why="attention replaces the poolings of the library's own networks")
    run = begin(options)
    train, held_out = open_data(options, seed=options.seed)
    shape = {"num_classes": options.num_classes, "image_size": options.image_size}
    net = load_net(options.model, options.weights, options=options.loading, like=train, **shape)
    run = run.knowing(**known_by(net))
    study = make_study(net, train, held_out)
    target = extend_target(study.target, options.model, options.lap.sites)
    trained = plug_in(target, study.params, train, options.lap, run=run)
    return report_lap(Net(study.target, study.params), trained, held_out, options.score, run=run)


def extend_target(target: Target, model: str, sites: tuple[str, ...] = ()) -> Target:
    """:func:`extend_model` for a network that there is, with its classes, images and preprocessing."""
    preprocessing = target.preprocessing
    shape = {
        "num_classes": target.num_classes,
        "image_size": preprocessing.crop,
        "channels": len(preprocessing.mean),
    }
    return targets.with_preprocessing(extend_model(model, sites, **shape), preprocessing)


def extend_model(model: str, sites: tuple[str, ...] = (), **shape: Any) -> Target:
    """A registered network whose pools attend.

    Args:
        model: Name of a ResNet or a VGG.
        sites: Places that attend; none takes the last three.
        **shape: Keywords of the network's maker.

    Raises:
        InputError: The network has no pooling that could attend, or a site is no place of it.
    """
    make = getattr(targets, model, None)
    if make is None or "pooling" not in inspect.signature(make).parameters:
        raise InputError(
            f"{model} has no pooling that could attend; expected a ResNet or a VGG: choose another --model"
        )
    return lap.extend(make, sites=sites or None, **shape)
