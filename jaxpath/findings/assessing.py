"""What may be concluded about each of some pictures: its pathway, and that of its class, put to the test."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxpath.fills import Fill
from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.measuring import ZERO, Asked, Measured, Others, put_to_test
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.survey import Survey
from jaxpath.findings.verdicts import Judgement, as_row, judge
from jaxpath.metrics import Session


class Conditions(NamedTuple):
    """How pathways are put to the test.

    Attributes:
        fills: Ablation -> what closed neurons hold under it.
        others: Pictures among which those of other classes are found; None: there are none.
        class_pathways: Pathways of classes, which are put to the same test; None: there are none.
        against: The class rather than which others are asked for; None: rather than all others.
        seed: Of everything that is drawn.
    """

    fills: Mapping[str, Fill] = ZERO
    others: Others | None = None
    class_pathways: ClassPathways | None = None
    against: int | None = None
    seed: int = 0


class Assessment(NamedTuple):
    """What may be concluded about one picture.

    Attributes:
        name: Of the picture.
        label: The true class; ``data.UNLABELLED`` if it is not known.
        predicted: The class that the whole network says.
        probability: Its probability there.
        explained: The class that the pathway is of.
        against: The class rather than which it is; None: rather than all others.
        clean: Probability of the explained class in the whole network; among these two if there is another.
        density: Share of open neurons.
        alone_predicted: The class with the pathway alone, where closed neurons hold the session's fill.
        measured: What came of the pathway.
        judgement: What may be concluded from it.
        class_measured: What came of the pathway of the explained class on this picture; None without one.
        class_judgement: What may be concluded from that.
    """

    name: str
    label: int
    predicted: int
    probability: float
    explained: int
    against: int | None
    clean: float
    density: float
    alone_predicted: int
    measured: Measured
    judgement: Judgement
    class_measured: Measured | None = None
    class_judgement: Judgement | None = None

    def as_row(self) -> dict[str, Any]:
        """Plain values for a file; see docs/results.md."""
        row: dict[str, Any] = {
            "file": self.name,
            "predicted": self.predicted,
            "probability": self.probability,
            "label": self.label if self.label >= 0 else None,
            "class": self.explained,
            "against": self.against,
            "class_probability": self.clean,
            "verdict": self.judgement.verdict,
            "weak": self.judgement.weak,
            "surer_than_network": self.judgement.surer,
            "density": self.density,
            **as_row(self.measured.controls),
        }
        if self.class_measured is not None and self.class_judgement is not None:
            row["class_pathway"] = {
                "verdict": self.class_judgement.verdict,
                "weak": self.class_judgement.weak,
                "surer_than_network": self.class_judgement.surer,
                **as_row(self.class_measured.controls),
            }
        return row


def assess(
    session: Session,
    pictures: Pictures,
    survey: Survey,
    conditions: Conditions | None = None,
    *,
    first: int = 0,
) -> list[Assessment]:
    """Puts the pathway of every picture to the test, and the pathway of its class.

    Args:
        session: The classifier.
        pictures: The pictures, n of them.
        survey: What the explainer says about them.
        conditions: How; None closes neurons to 0 and has no other pictures.
        first: Place of the first picture among all: what is drawn for a picture depends on its place.
    """
    conditions = Conditions() if conditions is None else conditions
    records, classes = survey.records, survey.classes
    places = first + np.arange(len(classes))
    asked = Asked(pictures.images, records.table, classes, places, conditions.against)
    how: dict[str, Any] = {"fills": conditions.fills, "others": conditions.others, "seed": conditions.seed}
    measured = put_to_test(session, asked, **how)
    of_class: dict[int, Measured] = {}
    if conditions.class_pathways is not None:
        rows = np.flatnonzero(conditions.class_pathways.known[classes])
        if rows.size:
            masks = conditions.class_pathways.masks[classes[rows]]
            transferred = Asked(pictures.images[rows], masks, classes[rows], places[rows], conditions.against)
            found = put_to_test(session, transferred, **how, title="class pathways")
            of_class = dict(zip(rows.tolist(), found, strict=True))
    clean = probabilities(survey.logits, classes, conditions.against)
    return [
        Assessment(
            name=pictures.names[i],
            label=int(pictures.labels[i]),
            predicted=int(records.predicted[i]),
            probability=float(records.clean_confidence[i]),
            explained=int(classes[i]),
            against=conditions.against,
            clean=float(clean[i]),
            density=float(records.unit_density[i]),
            alone_predicted=int(records.masked_predicted[i]),
            measured=measured[i],
            judgement=judge(measured[i].controls, float(clean[i])),
            class_measured=of_class.get(i),
            class_judgement=judge(of_class[i].controls, float(clean[i])) if i in of_class else None,
        )
        for i in range(len(classes))
    ]


def probabilities(logits: np.ndarray, classes: np.ndarray, against: int | None = None) -> np.ndarray:
    """Softmax of logits [n, K] at ``classes`` [n], among all classes or among these and ``against``.

    >>> probabilities(np.array([[0.0, 0.0, 9.0]]), np.array([0]), against=1).tolist()
    [0.5]
    """
    logits = logits.astype(np.float64)
    rows = np.arange(len(classes))
    mine = logits[rows, classes]
    if against is not None:
        return np.exp(-np.logaddexp(0, logits[:, against] - mine))
    return np.exp(mine - np.logaddexp.reduce(logits, axis=1))
