"""What one reader looks at: the picture, the question, the pathway and how it was changed."""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxpath.app.studio import ASKING, Look
from jaxpath.types import InputError

_MOST_UNDONE = 100
_MOST_DIGITS = 9


class Shown(NamedTuple):
    """A pathway as the page shows it.

    Attributes:
        start: Before anything was closed or opened by hand, bool [N].
        mask: Now, bool [N].
        density: Of the slider that cut it; None: it is the explainer's own, or a class's.
    """

    start: np.ndarray
    mask: np.ndarray
    density: float | None

    @property
    def by_hand(self) -> bool:
        """Whether channels were closed or opened by hand."""
        return not np.array_equal(self.start, self.mask)


@dataclasses.dataclass
class State:
    """What one reader looks at.

    Attributes:
        look: The picture and what an explainer says about it.
        shown: The pathway.
        place: Of the picture in the reference; None: it is the reader's own.
        held: Whether the pathway is that of another picture.
        earlier: Pathways to go back to, the last one first.
    """

    look: Look
    shown: Shown
    place: int | None = None
    held: bool = False
    earlier: list[Shown] = dataclasses.field(default_factory=list)
    _sliding: bool = False

    @property
    def mask(self) -> np.ndarray:
        """The open channels, bool [N]."""
        return self.shown.mask

    def slide(self, mask: np.ndarray, density: float) -> None:
        """Takes the pathway of another density; moves in a row are undone together."""
        if not self._sliding:
            self._remember()
        self._sliding = True
        self.shown = Shown(mask, mask, density)

    def take(self, mask: np.ndarray) -> None:
        """Takes another pathway, such as a class's."""
        self._remember()
        self.shown = Shown(mask, mask, None)

    def turn(self, channels: np.ndarray, *, opened: bool | None = None) -> None:
        """Opens or closes channels, int [n] among all; None turns each into its opposite."""
        self._remember()
        mask = self.mask.copy()
        mask[channels] = ~mask[channels] if opened is None else opened
        self.shown = self.shown._replace(mask=mask)

    def undo(self) -> bool:
        """Goes back to the pathway before; False if there is none."""
        self._sliding = False
        if not self.earlier:
            return False
        self.shown = self.earlier.pop(0)
        return True

    def _remember(self) -> None:
        self._sliding = False
        self.earlier = [self.shown, *self.earlier][:_MOST_UNDONE]

    @property
    def explainer(self) -> str:
        """Who may be asked for the class on this picture: a held pathway is no explainer's on it."""
        return ASKING if self.held else self.look.explainer

    @property
    def is_cut(self) -> bool:
        """Whether explainer and density say what is shown."""
        return self.shown.density is not None and not self.shown.by_hand and not self.held

    def link(self) -> dict[str, str]:
        """The state as the parameters of an address; without the picture if it is the reader's own."""
        parameters = {"explainer": self.explainer, "class": str(self.look.label)}
        if self.place is not None:
            parameters["picture"] = str(self.place)
        if self.look.against is not None:
            parameters["against"] = str(self.look.against)
        if self.shown.density is not None:
            parameters["density"] = f"{self.shown.density:.3f}"
        if not self.is_cut:
            parameters["open"] = encode_mask(self.mask)
        if self.shown.by_hand:
            parameters["start"] = encode_mask(self.shown.start)
        return parameters


def shown_by(parameters: Mapping[str, str], channels: int) -> Shown | None:
    """The pathway that an address spells out; None if it names a density alone, or nothing.

    Raises:
        InputError: It holds no pathway of so many channels.
    """
    if not parameters.get("open"):
        return None
    mask = decode_mask(parameters["open"], channels)
    start = decode_mask(parameters["start"], channels) if parameters.get("start") else mask
    return Shown(start, mask, share_in(parameters))


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
    text = str(parameters.get(name) or "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) >= below:
        raise InputError(f"the address asks for {name} {text[:20]}; expected a number from 0 to {below - 1}")
    return int(text)


def share_in(parameters: Mapping[str, Any]) -> float | None:
    """The density among the parameters of an address; None if it is not there.

    Raises:
        InputError: It is none.
    """
    text = str(parameters.get("density") or "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"the address asks for density {text[:20]}; expected a number from 0 to 1")
    return value
