"""Figures of pathways and attributes, and pages of HTML. The only room that knows matplotlib and Jinja."""

from jaxpath.report.architectures import Architecture, plot_architectures
from jaxpath.report.attributes import (
    AttributeView,
    plot_attributes,
    plot_conciseness,
    plot_global_relevance,
    plot_local_relevance,
)
from jaxpath.report.comparison import plot_cascade, plot_curves, plot_times
from jaxpath.report.conclusions import caveats, label_of, verdict, verdict_of_many
from jaxpath.report.figures import (
    Captions,
    plot_class_pathways,
    plot_density_per_site,
    plot_iou_matrix,
    plot_pathway,
    plot_pathways,
    save_figure,
    save_saliency,
)
from jaxpath.report.maps import plot_maps
from jaxpath.report.pages import Setting, channel_page, class_words_page, data_set_page, write_page
from jaxpath.report.picture_pages import OverviewRow, channel_file, image_page, image_pages
from jaxpath.report.sentences import (
    Caveat,
    Names,
    left_out_caveats,
    left_out_sentence,
    warning_caveats,
)

__all__ = [
    "Architecture",
    "AttributeView",
    "Captions",
    "Caveat",
    "Names",
    "OverviewRow",
    "Setting",
    "caveats",
    "channel_file",
    "channel_page",
    "class_words_page",
    "data_set_page",
    "image_page",
    "image_pages",
    "label_of",
    "left_out_caveats",
    "left_out_sentence",
    "plot_architectures",
    "plot_attributes",
    "plot_cascade",
    "plot_class_pathways",
    "plot_conciseness",
    "plot_curves",
    "plot_density_per_site",
    "plot_global_relevance",
    "plot_iou_matrix",
    "plot_local_relevance",
    "plot_maps",
    "plot_pathway",
    "plot_pathways",
    "plot_times",
    "save_figure",
    "save_saliency",
    "verdict",
    "verdict_of_many",
    "warning_caveats",
    "write_page",
]
