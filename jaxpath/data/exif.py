"""Pictures as their files store them: the note in which the camera says how it was held is not followed."""

from jaxpath.data.arrays import ArraySource
from jaxpath.data.source import Example, Source, View


class StoredBytes(bytes):
    """The bytes of an image file whose EXIF turn is to be ignored."""


class AsStored(View):
    """The examples of ``source``, not turned; :func:`ignore_exif` makes it."""

    def __getitem__(self, index: int) -> Example:
        example = self.source[index]
        image = example["image"]
        return example if not isinstance(image, bytes) else {**example, "image": StoredBytes(image)}


def ignore_exif(source: Source) -> Source:
    """Returns ``source`` with its pictures as they are stored, as torchvision's readers see them.

    Without, a picture is turned as its camera was held, which EXIF's orientation (or XMP's) says, so that it
    is seen as everybody sees it.
    """
    return source if isinstance(source, ArraySource) else AsStored(source)
