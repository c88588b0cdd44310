"""Which class of a picture is explained."""

from typing import NamedTuple


class Question(NamedTuple):
    """Which class of each picture is explained.

    Attributes:
        label: The class; None: the one that the classifier says.
        against: The class rather than which it is; None: rather than all others.
    """

    label: int | None = None
    against: int | None = None


PREDICTED = Question()
"""The class that the classifier says, rather than all others."""
