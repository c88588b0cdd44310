"""Data sets prepared by TensorFlow Datasets as array_record files, read without TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.data.source import Example, Source
from jaxpath.data.splits import MissingSplit
from jaxpath.types import InputError


class TfdsSource(Source):
    """One split of a prepared data set; :func:`tfds` makes it.

    Examples hold the bytes of their image files. The labels are not known without reading all; -1 is that of
    a split whose labels are kept secret.
    """

    labels = None

    def __init__(
        self, records: Any, *, image_key: str, label_key: str, class_names: tuple[str, ...], origin: str
    ):
        self._records = records
        self._image_key = image_key
        self._label_key = label_key
        self.class_names = class_names
        self.origin = origin

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Example:
        record = self._records[index]
        return {"image": record[self._image_key], "label": np.int32(record[self._label_key])}

    def name(self, index: int) -> str:
        return f"example {index} of {self.origin}"


def tfds(name: str, split: str = "train", data_dir: str | Path | None = None) -> TfdsSource:
    """Returns one split of a data set of TensorFlow Datasets that is prepared as array_record.

    Nothing is downloaded here. To prepare a data set (some, such as imagenet2012, need files that
    are downloaded by hand first)::

        import tensorflow_datasets as tfds
        tfds.builder("cifar10", file_format="array_record").download_and_prepare()

    Args:
        name: Such as ``imagenet2012`` or ``cifar10``.
        split: Such as ``train``, ``validation`` or ``train[:10%]``.
        data_dir: Folder of prepared data sets; by default that of TensorFlow Datasets.

    Raises:
        InputError: No such data set or split, not prepared as array_record, or without images and
            labels.
    """
    import tensorflow_datasets

    records: Any
    try:
        records = tensorflow_datasets.data_source(name, split=split, data_dir=data_dir, download=False)
    except (ValueError, NotImplementedError, FileNotFoundError, AssertionError) as error:
        where = data_dir or "the default folder of TensorFlow Datasets"
        raise MissingSplit(
            f'there is no split "{split}" of the TFDS data set "{name}" as array_record in {where} '
            f"({_first_line(error)}); check the names, and prepare it with "
            f'tensorflow_datasets.builder("{name}", file_format="array_record").download_and_prepare()',
            _split_names(name, data_dir),
        ) from error
    features = records.dataset_info.features
    image_key = _first_key(features, tensorflow_datasets.features.Image, name)
    label_key = _first_key(features, tensorflow_datasets.features.ClassLabel, name)
    # Pictures are decoded by this library: TFDS would use OpenCV or PIL, whichever is installed,
    # and these differ in their results.
    records.decoders = {image_key: tensorflow_datasets.decode.SkipDecoding()}
    return TfdsSource(
        records,
        image_key=image_key,
        label_key=label_key,
        class_names=tuple(features[label_key].names),
        origin=f"tfds:{name} ({split})",
    )


def _split_names(name: str, data_dir: str | Path | None) -> tuple[str, ...]:
    """The splits of a prepared data set; none if there is no such data set."""
    import tensorflow_datasets

    try:
        return tuple(tensorflow_datasets.builder(name, data_dir=data_dir).info.splits)
    except (ValueError, NotImplementedError, FileNotFoundError, AssertionError):
        return ()


def _first_key(features: Any, kind: type, name: str) -> str:
    """Returns the name of the first feature of this kind."""
    keys = [key for key, feature in features.items() if isinstance(feature, kind)]
    if not keys:
        raise InputError(
            f'the TFDS data set "{name}" has no {kind.__name__} feature among {", ".join(features)}; '
            "choose a data set for image classification"
        )
    return keys[0]


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
