"""All explainers of the page on one picture, at one density."""

from typing import NamedTuple

from jaxpath.app.studio import Look, Studio
from jaxpath.findings import Measured


class Explained(NamedTuple):
    """One explainer's pathway of a picture.

    Attributes:
        name: The explainer.
        iou: Of its pathway with that of the explainer that the page shows.
        measured: What came of it.
    """

    name: str
    iou: float
    measured: Measured


def side_by_side(studio: Studio, look: Look, density: float) -> list[Explained]:
    """Every explainer's pathway for the same picture and class, of those that can be asked for it.

    Args:
        studio: The classifier.
        look: The picture and its class.
        density: Share of open channels.
    """
    shown = studio.cut(look, density)
    predicted = int(look.survey.records.predicted[0])
    rows = []
    for name in studio.explainers:
        asked = {"label": look.label, "against": look.against} if studio.asks(name) else {}
        if not asked and (look.label != predicted or look.against is not None):
            continue
        other = studio.look(look.pictures, name, **asked)
        mask = studio.cut(other, density)
        both, either = int((shown & mask).sum()), int((shown | mask).sum())
        rows.append(Explained(name, both / max(either, 1), studio.measure(other, mask)))
    return rows
