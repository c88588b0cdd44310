"""The pictures that a run's figures show, and the figures as files."""

from collections.abc import Mapping

import jax
import numpy as np

from jaxpath import data, report
from jaxpath.report.figures import Figure
from jaxpath.runs.run import Run
from jaxpath.types import HostBatch, Preprocessing

_AT_ONCE = 64


def read_pictures(
    source: data.Source, preprocessing: Preprocessing, *, reading: data.Reading = data.READING
) -> HostBatch:
    """All of ``source`` as one batch without padding, the same on every process.

    Args:
        source: The pictures; all of them have to fit in memory.
        preprocessing: The target's, by which they are resized and cropped.
        reading: Workers, threads, and what to do with files that are no images.
    """
    batches = data.eval_batches(
        source,
        batch_size=min(_AT_ONCE, len(source)),
        preprocessing=preprocessing,
        shard=data.Shard(0, 1),
        reading=reading,
    )
    parts = list(batches)
    return {name: np.concatenate([part[name][part["weight"] > 0] for part in parts]) for name in parts[0]}


def save_figures(figures: Mapping[str, Figure | None], *, run: Run) -> None:
    """Writes figures into the run's folder, on process 0.

    Args:
        figures: File name -> figure; None is passed over.
        run: The run.
    """
    if jax.process_index() == 0:
        for name, figure in figures.items():
            if figure is not None:
                report.save_figure(figure, run.out / name)
