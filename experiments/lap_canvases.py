"""The run that the LAP experiments on cluttered canvases share: plain net, LAP net, scores."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import common
import lap_fitting
import lap_outcome
from lap_fitting import LapOptions, LapTrained
from lap_outcome import ScoreOptions

from jaxpath import data, lap


def run_on_canvases(
    train: data.CanvasSource,
    held_out: data.CanvasSource,
    options: LapOptions,
    score: ScoreOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping[str, Any],
) -> None:
    """Trains a plain net and a LAP net from the same seed on the same canvases and compares them."""
    began = time.perf_counter()
    options.check()
    score.check()
    shape = common.target_options(train)
    plain, target = (
        lap.canvas_net(**shape),
        lap.extend(
            lap.canvas_net,
            sites=["pool2", "avgpool"],
            alpha=options.alpha,
            gate=None,
            read_out=options.read_out,
            bias=options.score_bias,
            **shape,
        ),
    )
    common.check_data(plain, train, held_out)
    common.say(f"plain net: {len(train)} canvases of {train.images.shape[1]} pixels")
    plain_params = lap_fitting.train_plain(plain, train, options, out=out / "plain", seed=seed, config=config)
    knowledge = lap.no_knowledge()
    if options.knowledge_share:
        size = (train.images.shape[1], train.images.shape[2])
        knowledge = lap.boxes_knowledge(train.boxes, size, options.knowledge_share, seed=seed)
        common.say(f"knowledge: boxes of {len(knowledge.masks)} canvases")
    common.say("LAP net")
    trained = lap_fitting.train_from_scratch(
        target, train, knowledge, options, out=out, seed=seed, config=config
    )
    lap_outcome.report_lap(
        LapTrained(plain, plain_params),
        trained,
        held_out,
        score,
        out=out,
        seed=seed,
        config=config,
        began=began,
        more={"known_boxes": len(knowledge.masks) if options.knowledge_share else 0},
    )
