"""What one reader looks at: the picture, the question, the pathway and how it was changed."""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxpath.app.studio import Look
from jaxpath.types import InputError

_MOST_UNDONE = 100


@dataclasses.dataclass
class State:
    """What one reader looks at.

    Attributes:
        look: The picture and what an explainer says about it.
        start: The pathway before anything was closed or opened by hand, bool [N].
        mask: The pathway now, bool [N].
        density: Of the slider; None: the pathway is the explainer's own, or a class's.
        place: Of the picture in the reference; None: it is the reader's own.
        earlier: Pathways to go back to, the last one first.
    """

    look: Look
    start: np.ndarray
    mask: np.ndarray
    density: float | None = None
    place: int | None = None
    earlier: list[np.ndarray] = dataclasses.field(default_factory=list)

    @property
    def by_hand(self) -> bool:
        """Whether channels were closed or opened by hand."""
        return not np.array_equal(self.start, self.mask)

    def begin(self, mask: np.ndarray, density: float | None) -> None:
        """Takes another pathway, as the slider gives it."""
        self._remember()
        self.start, self.mask, self.density = mask.copy(), mask.copy(), density

    def turn(self, channels: np.ndarray, *, opened: bool | None = None) -> None:
        """Opens or closes channels, int [n] among all; None turns each into its opposite."""
        self._remember()
        mask = self.mask.copy()
        mask[channels] = ~mask[channels] if opened is None else opened
        self.mask = mask

    def undo(self) -> bool:
        """Goes back to the pathway before; False if there is none."""
        if not self.earlier:
            return False
        self.mask = self.earlier.pop(0)
        return True

    def _remember(self) -> None:
        self.earlier = [self.mask, *self.earlier][:_MOST_UNDONE]

    def link(self) -> dict[str, str]:
        """The state as the parameters of an address; without the picture if it is the reader's own."""
        parameters = {"explainer": self.look.explainer, "class": str(self.look.label)}
        if self.place is not None:
            parameters["picture"] = str(self.place)
        if self.look.against is not None:
            parameters["against"] = str(self.look.against)
        if self.density is not None and not self.by_hand:
            parameters["density"] = f"{self.density:.3f}"
        else:
            parameters["open"] = encode_mask(self.mask)
        return parameters


def encode_mask(mask: np.ndarray) -> str:
    """A pathway, bool [N], as text for an address.

    >>> decode_mask(encode_mask(np.array([True, False, True])), 3).tolist()
    [True, False, True]
    """
    return base64.urlsafe_b64encode(np.packbits(mask).tobytes()).decode("ascii").rstrip("=")


def decode_mask(text: str, channels: int) -> np.ndarray:
    """The pathway of :func:`encode_mask`.

    Raises:
        InputError: It is none of so many channels.
    """
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InputError("the address holds no pathway; copy the link once more") from error
    if len(content) != -(-channels // 8):
        raise InputError(
            f"the address holds a pathway of another classifier: expected one of {channels} channels"
        )
    return np.unpackbits(np.frombuffer(content, np.uint8), count=channels).astype(bool)


def number_in(parameters: Mapping[str, Any], name: str, *, below: int) -> int | None:
    """A whole number among the parameters of an address; None if it is not there.

    Raises:
        InputError: It is none, or not below the limit.
    """
    text = parameters.get(name)
    if text is None or text == "":
        return None
    if not str(text).isdecimal() or int(text) >= below:
        raise InputError(f"the address asks for {name} {text}; expected a number from 0 to {below - 1}")
    return int(text)
