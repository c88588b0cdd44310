"""The pictures of one page, each of which is in the file once, however often it is shown."""

import dataclasses

import numpy as np
from PIL import Image

from jaxpath.report import encode


@dataclasses.dataclass
class Picture:
    """A picture for the macro ``image``.

    Attributes:
        uri: Its data.
        name: Its name within the page.
        width: In pixels.
        height: In pixels.
        small: Whether its pixels are shown as squares.
        times: How often the page shows it.
    """

    uri: str
    name: str
    width: int
    height: int
    small: bool
    times: int = 0


class Album:
    """The pictures of one page. One that is shown several times is written down once, and referred to."""

    def __init__(self) -> None:
        self._pictures: dict[str, Picture] = {}

    def add(self, image: np.ndarray, *, side: int, small: bool | None = None) -> Picture:
        """A picture that the page shows once more.

        Args:
            image: uint8 [H, W, 1 or 3].
            side: Its longer side is reduced to so many pixels.
            small: Whether its pixels are kept exactly and shown as squares; None: if it has few.
        """
        exact = encode.is_small(image) if small is None else small
        return self.add_drawn(encode.as_picture(image, side=side), small=exact)

    def add_drawn(self, picture: Image.Image, *, small: bool) -> Picture:
        """A picture that was drawn already; the same data are the same picture."""
        uri = encode.image_uri(picture, exact=small)
        entry = Picture(uri, f"p{len(self._pictures) + 1}", *picture.size, small)
        shown = self._pictures.setdefault(uri, entry)
        shown.times += 1
        return shown

    @property
    def shared(self) -> list[Picture]:
        """Those that the page shows several times."""
        return [picture for picture in self._pictures.values() if picture.times > 1]
