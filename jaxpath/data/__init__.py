"""Labelled pictures: sources with random access, and the pipeline that makes batches of them.

Grain, TensorFlow Datasets and scikit-learn are imported by the functions that need them.
"""

from jaxpath.data.archives import TarSource, tar
from jaxpath.data.array_batches import ArrayBatches
from jaxpath.data.arrays import ArraySource, digits
from jaxpath.data.batches import Reading, Shard
from jaxpath.data.boxes import boxes_in_view
from jaxpath.data.canvases import CanvasSource, Clutter, cluttered
from jaxpath.data.class_names import (
    Known,
    Relabelled,
    align,
    classes_of,
    contradict,
    fit_classes,
    match_classes,
)
from jaxpath.data.exif import ignore_exif
from jaxpath.data.files import FileSource, holds_loose_images, image_files
from jaxpath.data.folders import FolderSource, folder
from jaxpath.data.index import IMAGE_SUFFIXES, LeftOut
from jaxpath.data.known_names import known_names
from jaxpath.data.labels import check_labels, labels_known, names_of_classes
from jaxpath.data.name_matching import match_names
from jaxpath.data.npz_files import npz
from jaxpath.data.opening import open_source
from jaxpath.data.parts import find_part
from jaxpath.data.pipeline import READING, Batches, eval_batches, train_batches
from jaxpath.data.present import present_classes
from jaxpath.data.quickdraw import FLINT_CLASSES, quickdraw
from jaxpath.data.reading import check_some_readable, first_stored, read_picture
from jaxpath.data.source import UNLABELLED, Example, NothingReadable, Source, UnreadableImage, View
from jaxpath.data.splits import Concatenation, MissingSplit, Subset, concatenate, draw, draw_places, split
from jaxpath.data.tfds_records import TfdsSource, tfds
from jaxpath.data.transforms import (
    AUGMENTATIONS,
    Augment,
    center_crop,
    decode,
    flip,
    random_resized_crop,
    random_shift,
)

__all__ = [
    "AUGMENTATIONS",
    "FLINT_CLASSES",
    "IMAGE_SUFFIXES",
    "READING",
    "UNLABELLED",
    "ArrayBatches",
    "ArraySource",
    "Augment",
    "Batches",
    "CanvasSource",
    "Clutter",
    "Concatenation",
    "Example",
    "FileSource",
    "FolderSource",
    "Known",
    "LeftOut",
    "MissingSplit",
    "NothingReadable",
    "Reading",
    "Relabelled",
    "Shard",
    "Source",
    "Subset",
    "TarSource",
    "TfdsSource",
    "UnreadableImage",
    "View",
    "align",
    "boxes_in_view",
    "center_crop",
    "check_labels",
    "check_some_readable",
    "classes_of",
    "cluttered",
    "concatenate",
    "contradict",
    "decode",
    "digits",
    "draw",
    "draw_places",
    "eval_batches",
    "find_part",
    "first_stored",
    "fit_classes",
    "flip",
    "folder",
    "holds_loose_images",
    "ignore_exif",
    "image_files",
    "known_names",
    "labels_known",
    "match_classes",
    "match_names",
    "names_of_classes",
    "npz",
    "open_source",
    "present_classes",
    "quickdraw",
    "random_resized_crop",
    "random_shift",
    "read_picture",
    "split",
    "tar",
    "tfds",
    "train_batches",
]
