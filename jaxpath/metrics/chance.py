"""Is a classifier better than guessing on labelled images? If not, its pathways explain no knowledge."""

from typing import NamedTuple

import numpy as np

from jaxpath.finite import check

_LEVEL = 0.01
"""Of both tests."""

CAUSES = (
    "compare the order of the classes, the preprocessing (mean, standard deviation, colours) and the image "
    "size with those of its training, or train it longer"
)


class Chance(NamedTuple):
    """A classifier beside guessing, on the images whose class is known.

    Attributes:
        num_right: Images that are classified correctly.
        num_images: All of them.
        num_classes: Classes that guessing chooses among.
        guessing: Accuracy of guessing.
        constant: Whether every image is given one class although they are of several.
    """

    num_right: int
    num_images: int
    num_classes: int
    guessing: float
    constant: bool

    @property
    def at_chance(self) -> bool:
        """Whether the accuracy is no better than guessing and the images are enough to say so.

        Two exact binomial tests at 1 %: the accuracy is not above that of guessing, and it is below the
        middle between guessing and 1. A few images, on which a useful classifier may have bad luck, say
        nothing.
        """
        # It takes a while to import, and `import jaxpath` comes by here.
        from scipy.special import bdtr, bdtrc

        right, count = self.num_right, self.num_images
        above = 1.0 if right == 0 else float(bdtrc(right - 1, count, self.guessing))
        below = float(bdtr(right, count, (1 + self.guessing) / 2))
        return above > _LEVEL and below < _LEVEL

    def sentence(self, who: str = "the classifier", *, causes: str = CAUSES) -> str:
        """What a reader has to know if it is at chance.

        Args:
            who: What the classifier is called.
            causes: What may be the reason.
        """
        if self.constant:
            rival = "it says one class for all of them"
        else:
            rival = f"guessing among {self.num_classes} classes gives {self.guessing:.3f}"
        accuracy = self.num_right / self.num_images
        return (
            f"{who} is no better than guessing: {self.num_right} of {self.num_images} labelled images are "
            f"classified correctly ({accuracy:.3f}), and {rival}; {causes}"
        )


def against_chance(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> Chance | None:
    """Sets a classifier beside guessing.

    Guessing chooses among the classes that occur, each as often; among all K classes if one occurs. A
    classifier that says one class for images of several is as good as guessing whatever that class's share.

    Args:
        predicted: int [N], classes.
        labels: int [N]; below 0 where the class is not known.
        num_classes: K, the classes of the classifier.

    Returns:
        None if no image has a known class.

    Raises:
        InputError: A value is not finite.
    """
    check("classes", predicted, labels)
    known = np.asarray(labels) >= 0
    predicted, labels = np.asarray(predicted)[known], np.asarray(labels)[known]
    if not len(labels):
        return None
    occurring = len(np.unique(labels))
    right = int((predicted == labels).sum())
    choices = occurring if occurring > 1 else num_classes
    constant = occurring > 1 and len(np.unique(predicted)) == 1
    guessing = max(1 / choices, right / len(labels)) if constant else 1 / choices
    return Chance(right, len(labels), choices, guessing, constant)


def chance_warnings(
    predicted: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    who: str = "the classifier",
    causes: str = CAUSES,
) -> list[str]:
    """The warning that a classifier is at chance, or none; see :func:`against_chance`.

    >>> chance_warnings(np.arange(90) % 10, np.arange(90) % 10, 10)
    []
    >>> print(chance_warnings(np.full(90, 3), np.arange(90) % 9, 10)[0][:60])
    the classifier is no better than guessing: 10 of 90 labelled
    """
    chance = against_chance(predicted, labels, num_classes)
    return [chance.sentence(who, causes=causes)] if chance is not None and chance.at_chance else []
