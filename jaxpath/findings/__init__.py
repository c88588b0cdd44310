"""What a report says, measured: pathways of a few pictures or of a data set, and how far to trust them."""

from jaxpath.findings.assessing import Assessment, Conditions, assess
from jaxpath.findings.channels import Words, load_left_out, load_words, strong_channels
from jaxpath.findings.class_pathways import (
    ClassPathways,
    learn_class_pathways,
    load_class_pathways,
    save_class_pathways,
)
from jaxpath.findings.data_set import DataSetFinding, find_data_set
from jaxpath.findings.facts import (
    ClassPathway,
    ImageFinding,
    Neighbour,
    StrongChannel,
    Thumbnail,
    WordComparison,
    WordShare,
)
from jaxpath.findings.images import Context, find_images, others_for
from jaxpath.findings.measuring import Asked, Measured, Others, put_to_test
from jaxpath.findings.pictures import Pictures, join_pictures, load_blocks, load_pictures
from jaxpath.findings.reference import Reference, knows_classes, load_reference
from jaxpath.findings.survey import Survey, join_surveys, kept_survey, survey
from jaxpath.findings.transfer import Transfer, transfer_pictures
from jaxpath.findings.verdicts import VERDICTS, Control, Controls, Judgement, Verdict, judge
from jaxpath.findings.wording import ClassWords, compare_words, describe_classes, flat_words, words_of

__all__ = [
    "VERDICTS",
    "Asked",
    "Assessment",
    "ClassPathway",
    "ClassPathways",
    "ClassWords",
    "Conditions",
    "Context",
    "Control",
    "Controls",
    "DataSetFinding",
    "ImageFinding",
    "Judgement",
    "Measured",
    "Neighbour",
    "Others",
    "Pictures",
    "Reference",
    "StrongChannel",
    "Survey",
    "Thumbnail",
    "Transfer",
    "Verdict",
    "WordComparison",
    "WordShare",
    "Words",
    "assess",
    "compare_words",
    "describe_classes",
    "find_data_set",
    "find_images",
    "flat_words",
    "join_pictures",
    "join_surveys",
    "judge",
    "kept_survey",
    "knows_classes",
    "learn_class_pathways",
    "load_blocks",
    "load_class_pathways",
    "load_left_out",
    "load_pictures",
    "load_reference",
    "load_words",
    "others_for",
    "put_to_test",
    "save_class_pathways",
    "strong_channels",
    "survey",
    "transfer_pictures",
    "words_of",
]
