"""Labelled pictures: sources with random access, and the pipeline that makes batches of them.

Grain, TensorFlow Datasets and scikit-learn are imported by the functions that need them.
"""

from jaxpath.data.archives import TarSource, tar
from jaxpath.data.arrays import ArraySource, digits
from jaxpath.data.batches import Reading, Shard
from jaxpath.data.boxes import boxes_in_view
from jaxpath.data.canvases import CanvasSource, Clutter, cluttered
from jaxpath.data.exif import ignore_exif
from jaxpath.data.files import UNLABELLED, FileSource, holds_images, image_files
from jaxpath.data.folders import FolderSource, folder
from jaxpath.data.index import IMAGE_SUFFIXES, cache_folder
from jaxpath.data.npz_files import npz
from jaxpath.data.opening import open_source
from jaxpath.data.pipeline import READING, Batches, eval_batches, train_batches
from jaxpath.data.quickdraw import quickdraw
from jaxpath.data.reading import check_some_readable, first_stored, read_picture
from jaxpath.data.source import Example, NothingReadable, Source, UnreadableImage, check_labels
from jaxpath.data.splits import Concatenation, Subset, concatenate, draw, split
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
    "IMAGE_SUFFIXES",
    "READING",
    "UNLABELLED",
    "ArraySource",
    "Augment",
    "Batches",
    "CanvasSource",
    "Clutter",
    "Concatenation",
    "Example",
    "FileSource",
    "FolderSource",
    "NothingReadable",
    "Reading",
    "Shard",
    "Source",
    "Subset",
    "TarSource",
    "TfdsSource",
    "UnreadableImage",
    "boxes_in_view",
    "cache_folder",
    "center_crop",
    "check_labels",
    "check_some_readable",
    "cluttered",
    "concatenate",
    "decode",
    "digits",
    "draw",
    "eval_batches",
    "first_stored",
    "flip",
    "folder",
    "holds_images",
    "ignore_exif",
    "image_files",
    "npz",
    "open_source",
    "quickdraw",
    "random_resized_crop",
    "random_shift",
    "read_picture",
    "split",
    "tar",
    "tfds",
    "train_batches",
]
