"""Figures of pathways and attributes. The only room that knows matplotlib."""

from jaxpath.report.attributes import (
    AttributeView,
    plot_attributes,
    plot_conciseness,
    plot_global_relevance,
    plot_local_relevance,
)
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
    "AttributeView",
    "plot_attributes",
    "plot_class_pathways",
    "plot_conciseness",
    "plot_curves",
    "plot_density_per_site",
    "plot_global_relevance",
    "plot_iou_matrix",
    "plot_local_relevance",
    "plot_pathway",
    "plot_pathways",
    "plot_times",
    "save_figure",
]
