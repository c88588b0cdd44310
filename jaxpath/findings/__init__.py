"""What a report says, measured: pathways of a few pictures or of a data set, and how far to trust them."""

from jaxpath.findings.bench import Bench, Method, Pictures, join_pictures, load_pictures, source_passes
from jaxpath.findings.channels import Words, load_words, strong_channels
from jaxpath.findings.class_pathways import (
    ClassPathways,
    learn_class_pathways,
    load_class_pathways,
    save_class_pathways,
)
from jaxpath.findings.data_set import DataSetFinding, find_data_set
from jaxpath.findings.described import ClassWords, compare_words, describe_classes, flat_words, words_of
from jaxpath.findings.facts import (
    ClassPathway,
    Confidence,
    ImageFinding,
    Leakage,
    Neighbour,
    StrongChannel,
    Thumbnail,
    WordComparison,
    WordShare,
)
from jaxpath.findings.images import find_images
from jaxpath.findings.reference import Reference, load_reference
from jaxpath.findings.survey import Survey, join_surveys, kept_survey, survey

__all__ = [
    "Bench",
    "ClassPathway",
    "ClassPathways",
    "ClassWords",
    "Confidence",
    "DataSetFinding",
    "ImageFinding",
    "Leakage",
    "Method",
    "Neighbour",
    "Pictures",
    "Reference",
    "StrongChannel",
    "Survey",
    "Thumbnail",
    "WordComparison",
    "WordShare",
    "Words",
    "compare_words",
    "describe_classes",
    "find_data_set",
    "find_images",
    "flat_words",
    "join_pictures",
    "join_surveys",
    "kept_survey",
    "learn_class_pathways",
    "load_class_pathways",
    "load_pictures",
    "load_reference",
    "load_words",
    "save_class_pathways",
    "source_passes",
    "strong_channels",
    "survey",
    "words_of",
]
