"""Explainers of one classifier on the same images at the same densities."""

from typing import TYPE_CHECKING

from jaxpath.lazy import attributes_of

if TYPE_CHECKING:
    from jaxpath.runs.comparison.averaging import merge
    from jaxpath.runs.comparison.comparing import compare_explainers, open_classifier, run_comparison
    from jaxpath.runs.comparison.entries import Entry, make_entries
    from jaxpath.runs.comparison.images import (
        Images,
        ImageSets,
        make_image_sets,
        open_images,
        open_references,
    )
    from jaxpath.runs.comparison.options import Comparison
    from jaxpath.runs.comparison.refutation import refutation_table
    from jaxpath.runs.comparison.scoring import Row, score
    from jaxpath.runs.comparison.tables import markdown, print_curves, with_interval, write_csv
    from jaxpath.runs.comparison.timing import measure_times, time_calls

__getattr__ = attributes_of(__name__)

__all__ = [
    "Comparison",
    "Entry",
    "ImageSets",
    "Images",
    "Row",
    "compare_explainers",
    "make_entries",
    "make_image_sets",
    "markdown",
    "measure_times",
    "merge",
    "open_classifier",
    "open_images",
    "open_references",
    "print_curves",
    "refutation_table",
    "run_comparison",
    "score",
    "time_calls",
    "with_interval",
    "write_csv",
]
