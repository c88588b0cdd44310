"""A plain net and a LAP net on cluttered canvases, whose true region is known."""

from typing import Any

from jaxpath import data, lap
from jaxpath.runs.lap.options import LapOptions, ScoreOptions
from jaxpath.runs.lap.reporting import report_lap
from jaxpath.runs.lap.training import train_from_scratch, train_plain
from jaxpath.runs.run import Run, say
from jaxpath.runs.study import check_data, target_options
from jaxpath.types import Target

_SITES = ("pool2", "avgpool")


def run_on_canvases(
    train: data.CanvasSource,
    held_out: data.CanvasSource,
    options: LapOptions,
    score: ScoreOptions,
    *,
    run: Run,
) -> dict[str, Any]:
    """Trains a plain net and a LAP net from one seed on the same canvases, and compares them.

    Args:
        train: The canvases to learn from.
        held_out: The canvases to score.
        options: How both are trained, and for which share of the canvases the box is known.
        score: How explanations are scored.
        run: Its folder, seed and configuration.

    Returns:
        The figures of ``results.json``.
    """
    options.check()
    score.check()
    plain_target, target = make_nets(train, options)
    check_data(plain_target, train, held_out)
    say(f"plain net: {len(train)} canvases of {train.images.shape[1]} pixels")
    plain = train_plain(plain_target, train, options, run=run.within("plain"))
    knowledge, known = lap.no_knowledge(), 0
    if options.knowledge_share:
        size = (train.images.shape[1], train.images.shape[2])
        boxes = data.boxes_in_view(train.boxes, size, target.preprocessing)
        knowledge = lap.boxes_knowledge(
            boxes, target.preprocessing.crop, options.knowledge_share, seed=run.seed
        )
        known = len(knowledge.masks)
        say(f"knowledge: boxes of {known} canvases")
    say("LAP net")
    trained = train_from_scratch(target, train, options, run=run, knowledge=knowledge)
    return report_lap(plain, trained, held_out, score, run=run, facts={"known_boxes": known})


def make_nets(train: data.Source, options: LapOptions) -> tuple[Target, Target]:
    """The plain net for canvases and the same net with attention, untrained.

    Args:
        train: Canvases, which say the size of the net.
        options: Say how attention starts and is read.
    """
    shape = target_options(train)
    extended = lap.extend(
        lap.canvas_net,
        sites=_SITES,
        alpha=options.alpha,
        gate=None,
        read_out=options.read_out,
        bias=options.score_bias,
        **shape,
    )
    return lap.canvas_net(**shape), extended
