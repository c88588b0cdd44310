"""What a report says, measured: pathways of a few pictures or of a data set, and how far to trust them."""

from jaxpath.findings.assessing import Assessment, Conditions, assess
from jaxpath.findings.channels import strong_channels
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
from jaxpath.findings.measuring import Asked, Extent, Measured, Others, put_to_test
from jaxpath.findings.pictures import Pictures, join_pictures, load_blocks, load_pictures
from jaxpath.findings.questions import PREDICTED, Question
from jaxpath.findings.reference import Reference, knows_classes, load_reference
from jaxpath.findings.results import SCHEMA_VERSION, as_csv, picture_rows, summarise
from jaxpath.findings.survey import Survey, join_surveys, kept_survey, survey
from jaxpath.findings.transfer import Transfer, transfer_pictures
from jaxpath.findings.verdicts import VERDICTS, Control, Controls, Judgement, Verdict, judge
from jaxpath.findings.wording import ClassWords, compare_words, describe_classes, flat_words, words_of
from jaxpath.findings.words import Word, Words, load_left_out, load_words

__all__ = [
    "PREDICTED",
    "SCHEMA_VERSION",
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
    "Extent",
    "ImageFinding",
    "Judgement",
    "Measured",
    "Neighbour",
    "Others",
    "Pictures",
    "Question",
    "Reference",
    "StrongChannel",
    "Survey",
    "Thumbnail",
    "Transfer",
    "Verdict",
    "Word",
    "WordComparison",
    "WordShare",
    "Words",
    "as_csv",
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
    "picture_rows",
    "put_to_test",
    "save_class_pathways",
    "strong_channels",
    "summarise",
    "survey",
    "transfer_pictures",
    "words_of",
]
