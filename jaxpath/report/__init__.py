"""Figures of pathways. The only room that knows matplotlib."""

from jaxpath.report.architectures import Architecture, plot_architectures
from jaxpath.report.comparison import plot_curves, plot_times
from jaxpath.report.figures import (
    plot_class_pathways,
    plot_density_per_site,
    plot_iou_matrix,
    plot_pathway,
    plot_pathways,
    save_figure,
)

__all__ = [
    "Architecture",
    "plot_architectures",
    "plot_class_pathways",
    "plot_curves",
    "plot_density_per_site",
    "plot_iou_matrix",
    "plot_pathway",
    "plot_pathways",
    "plot_times",
    "save_figure",
]
