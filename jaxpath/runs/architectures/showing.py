"""The comparison of two architectures as a figure and as lines of text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath import data, metrics, report
from jaxpath.runs.architectures.likeness import predicted_classes
from jaxpath.runs.architectures.profiles import Profile
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.results import one_per_class
from jaxpath.runs.run import say
from jaxpath.types import Target

_MOST_EXAMPLES = 8

_PRINTED = (*metrics.metric_names(lambda metric: metric.headline), "blank_saliency")


def draw_architectures(
    path: Path,
    profiles: Sequence[Profile],
    source: data.Source,
    target: Target,
    *,
    correlation: Mapping[str, float],
    show_images: bool = True,
) -> None:
    """Draws both models, with one example of each of the most frequent classes.

    Args:
        path: The file.
        profiles: The two models.
        source: The images.
        target: One of the two, for the size of the images and the number of classes.
        correlation: Of their class-by-class overlaps.
        show_images: Whether the figure has the images themselves, too.
    """
    records = profiles[0].records
    labels = records.labels
    classes = predicted_classes(*profiles)
    examples = one_per_class(labels, limit=_MOST_EXAMPLES)
    shown = data.Subset(source, records.indices[examples])
    figure = report.plot_architectures(
        *(_view(profile, examples, classes) for profile in profiles),
        images=read_pictures(shown, target.preprocessing)["image"] if show_images else None,
        labels=labels[examples].tolist(),
        classes=classes.tolist(),
        class_names=data.names_of_classes(source, target.num_classes),
        correlation=correlation,
    )
    report.save_figure(figure, path)
    say(f"figure: {path}")


def print_table(profiles: Sequence[Profile], comparison: Mapping[str, Any]) -> None:
    """Prints the headlines of both models side by side, and those of their comparison."""
    say(" " * 18 + " ".join(f"{profile.name:>12}" for profile in profiles))
    for name in (name for name in _PRINTED if all(name in profile.figures for profile in profiles)):
        say(f"{name:>18} " + " ".join(f"{profile.figures[name]:12.3f}" for profile in profiles))
    iou = comparison["iou_correlation"]
    say(
        f"class-by-class IoU: Pearson {iou['pearson']:.2f} (p {iou['pearson_p']:.4f}), "
        f"Spearman {iou['spearman']:.2f} (p {iou['spearman_p']:.4f})"
    )
    for kind, agreement in comparison["saliency"].items():
        say(
            f"saliency, {kind}: agreement {agreement['matched']:.3f} on the same image, "
            f"{agreement['mismatched']:.3f} on another ({agreement['num_images']} images)"
        )


def _view(profile: Profile, examples: np.ndarray, classes: np.ndarray) -> report.Architecture:
    return report.Architecture(
        name=profile.name,
        densities=profile.densities,
        iou=profile.iou[np.ix_(classes, classes)],
        saliency=profile.saliency["pathway"][examples],
        predictions=profile.records.predicted[examples].tolist(),
        clean=profile.records.clean_confidence[examples].tolist(),
        masked=profile.records.masked_confidence[examples].tolist(),
    )
