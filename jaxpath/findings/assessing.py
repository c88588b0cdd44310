"""What may be concluded about each of some pictures: its pathway, and that of its class, put to the test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxpath.fills import Fill
from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.keeping import kept_test
from jaxpath.findings.measuring import ZERO, Asked, Measured, Others
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.survey import Survey
from jaxpath.findings.verdicts import Judgement, as_row, judge
from jaxpath.metrics import Session

_AT_ONCE = 8
"""Pictures that are measured together, and kept together."""


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
            "switch": self.judgement.switch,
            "surer_than_network": self.judgement.surer,
            "density": self.density,
            **as_row(self.measured.controls),
        }
        if self.class_measured is not None and self.class_judgement is not None:
            row["class_pathway"] = {
                "verdict": self.class_judgement.verdict,
                "weak": self.class_judgement.weak,
                "switch": self.class_judgement.switch,
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
    folder: Path | None = None,
) -> list[Assessment]:
    """Puts the pathway of every picture to the test, and the pathway of its class.

    Args:
        session: The classifier.
        pictures: The pictures, n of them.
        survey: What the explainer says about them.
        conditions: How; None closes neurons to 0 and has no other pictures.
        first: Place of the first picture among all: what is drawn for a picture depends on its place.
        folder: Keeps what was measured, a few pictures at a time; None keeps nothing.
    """
    conditions = Conditions() if conditions is None else conditions
    assessments = []
    for start in range(0, len(pictures.names), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(pictures.names)))
        test = _Test(session, conditions, first + rows, folder)
        assessments += _assess_some(test, pictures.take(rows), survey.take(rows))
    return assessments


class _Test(NamedTuple):
    """How a few pictures are put to the test."""

    session: Session
    conditions: Conditions
    places: np.ndarray
    folder: Path | None

    def __call__(
        self, images: np.ndarray, table: np.ndarray, classes: np.ndarray, rows: Any, title: str
    ) -> Any:
        asked = Asked(images, table, classes, self.places[rows], self.conditions.against)
        return kept_test(
            self.session,
            asked,
            folder=self.folder,
            fills=self.conditions.fills,
            others=self.conditions.others,
            seed=self.conditions.seed,
            title=f"{title} of picture {self.places[rows][0] + 1}",
        )


def _assess_some(test: _Test, pictures: Pictures, survey: Survey) -> list[Assessment]:
    learned, against = test.conditions.class_pathways, test.conditions.against
    records, classes = survey.records, survey.classes
    measured = test(pictures.images, records.table, classes, slice(None), "controls")
    of_class: dict[int, Measured] = {}
    if learned is not None and learned.known[classes].any():
        rows = np.flatnonzero(learned.known[classes])
        found = test(
            pictures.images[rows], learned.masks[classes[rows]], classes[rows], rows, "class pathway"
        )
        of_class = dict(zip(rows.tolist(), found, strict=True))
    clean = probabilities(survey.logits, classes, against)
    return [
        Assessment(
            name=pictures.names[i],
            label=int(pictures.labels[i]),
            predicted=int(records.predicted[i]),
            probability=float(records.clean_confidence[i]),
            explained=int(classes[i]),
            against=against,
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
