"""Figures of pathways. The only room that knows matplotlib."""

from jaxpath.report.figures import (
    plot_class_pathways,
    plot_density_per_site,
    plot_iou_matrix,
    plot_pathway,
    plot_pathways,
    save_figure,
)

__all__ = [
    "plot_class_pathways",
    "plot_density_per_site",
    "plot_iou_matrix",
    "plot_pathway",
    "plot_pathways",
    "save_figure",
]
