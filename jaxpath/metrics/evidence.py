"""What a metric may look at: the explained images, their overlaps, and pathways on other pictures."""

from typing import NamedTuple

from jaxpath.metrics.detection import Detection, Panel, detect, make_panel
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.similarity import ClassSimilarity, class_similarity
from jaxpath.metrics.trials import Trials, put_to_trial


class Evidence(NamedTuple):
    """Everything that is computed once for all metrics of an explainer on a data set.

    Attributes:
        records: The explained images.
        similarity: Overlaps of their pathways within and between classes.
        trials: Pathways on other pictures; None if they were not tried.
        detection: How well pathways tell their class from others; None if there is nothing to tell.
    """

    records: Records
    similarity: ClassSimilarity
    trials: Trials | None
    detection: Detection | None


def without_trials(session: Session, records: Records) -> Evidence:
    """The pathways of ``records`` and how they overlap; none is put on another picture."""
    overlaps = class_similarity(records.masks, records.predicted, session.target.num_classes)
    return Evidence(records, overlaps, None, None)


def gather_evidence(
    session: Session, records: Records, passes: Passes, *, seed: int = 0, panel: Panel | None = None
) -> Evidence:
    """Compares the pathways of ``records``, and puts them on other pictures in one more pass.

    Args:
        session: The classifier.
        records: The explained images, made with the session's fill.
        passes: Their data set.
        seed: Of the choice of images, and of blank pictures.
        panel: Pictures of the data set on which pathways of classes are tried; None takes one more pass to
            fetch some.
    """
    trials = put_to_trial(session, records, passes, seed=seed)
    panel = make_panel(session, passes, records.indices) if panel is None else panel
    detection = detect(session, records, panel)
    return without_trials(session, records)._replace(trials=trials, detection=detection)


def gather_under(
    session: Session, evidence: Evidence, passes: Passes, *, panel: Panel, seed: int = 0
) -> Evidence:
    """The evidence of the same pathways where closed neurons hold the session's fill, in one more pass.

    Args:
        session: The classifier, with another fill.
        evidence: From :func:`gather_evidence`.
        passes: The data set.
        panel: Its pictures on which pathways of classes are tried.
        seed: Of the choice of images, and of blank pictures.
    """
    trials = put_to_trial(session, evidence.records, passes, seed=seed)
    records = evidence.records._replace(
        masked_predicted=trials.own_predicted, masked_confidence=trials.own_confidence
    )
    return evidence._replace(records=records, trials=trials, detection=detect(session, records, panel))
