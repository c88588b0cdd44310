"""Pictures from a reader: bounded, decoded as everywhere, and kept by nobody."""

import numpy as np

from jaxpath.data import UNLABELLED, Example, Source, UnreadableImage, decode
from jaxpath.findings import Pictures, load_pictures
from jaxpath.metrics import Session
from jaxpath.types import InputError

MOST_BYTES = 32 * 2**20
"""Of a file that a reader may give."""


class _Upload(Source):
    """One picture as the bytes of its file."""

    class_names = ()
    classes_are_named = False

    def __init__(self, content: bytes, name: str):
        self.labels = np.full(1, UNLABELLED, np.int32)
        self._content, self._name = content, name

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Example:
        return {"image": self._content, "label": np.int32(UNLABELLED)}

    def name(self, index: int) -> str:
        return self._name


def read_upload(session: Session, content: bytes, name: str) -> Pictures:
    """The picture in a file's bytes, as the session's target sees it.

    Raises:
        InputError: They are too many, or no picture.
    """
    if not content:
        raise InputError(f"{name} is empty; give an image file")
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{name} has {len(content) / 2**20:.0f} MiB; expected an image file of at most "
            f"{MOST_BYTES // 2**20} MiB"
        )
    try:
        decode(content)
    except UnreadableImage as error:
        raise InputError(f"{name} is not a readable image ({error}); give another file") from error
    return load_pictures(session, _Upload(content, name))
