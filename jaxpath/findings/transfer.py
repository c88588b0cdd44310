"""Class pathways put on pictures that they were not learned from, picture by picture."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.controls import shuffled
from jaxpath.findings.pairs import Outcome, Pairs, predict_pairs
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.survey import Survey
from jaxpath.metrics import Session, transfer_tables
from jaxpath.types import InputError


class Transfer(NamedTuple):
    """Pictures under class pathways.

    Attributes:
        rows: int [n], the pictures whose predicted class has a pathway.
        labels: int [n], that class.
        under: ``class``, ``random`` and ``other`` -> what each of these pictures gives under the pathway of
            its class, under a random one as large, and under that of the next class.
    """

    rows: np.ndarray
    labels: np.ndarray
    under: Mapping[str, Outcome]

    def fidelity(self) -> dict[str, float]:
        """Share of the pictures that keep their class, by the kind of pathway."""
        return {
            name: float((outcome.predicted == self.labels).mean()) for name, outcome in self.under.items()
        }


def transfer_pictures(
    session: Session, learned: ClassPathways, pictures: Pictures, survey: Survey, *, seed: int = 0
) -> Transfer:
    """Puts the pathways of classes on pictures.

    Args:
        session: The classifier.
        learned: The pathways of the classes.
        pictures: The pictures.
        survey: What the classifier says about them.
        seed: Of the random pathways.

    Raises:
        InputError: None of the pictures is of a class that has a pathway.
    """
    predicted = survey.records.predicted
    rows = np.flatnonzero(learned.known[predicted])
    if not rows.size:
        raise InputError(
            f"none of the {len(predicted)} pictures is of a class that has a pathway; learn from pictures of "
            "their classes, or put the pathways on other pictures"
        )
    labels = predicted[rows]
    random = shuffled(learned.masks, session.target, np.random.default_rng(seed))
    tables = transfer_tables(learned.masks, random, learned.known, labels)
    under = {
        name: predict_pairs(session, pictures.images, table, Pairs(rows, which, labels), title=name)
        for name, (table, which) in tables.items()
    }
    return Transfer(rows, labels, under)
