"""What a metric may look at: the explained images, their overlaps, and pathways on other images."""

from typing import NamedTuple

import numpy as np

from jaxpath.metrics.leakage import foreign_partners
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.similarity import ClassSimilarity, class_similarity
from jaxpath.metrics.under_masks import masked_predictions


class Crossed(NamedTuple):
    """Every image under the pathway of an image of another class.

    Attributes:
        partners: [N_images] int, the row whose pathway each image gets.
        predicted: [N_images] int, the class that is predicted then.
    """

    partners: np.ndarray
    predicted: np.ndarray


class Evidence(NamedTuple):
    """Everything that is computed once for all metrics of an explainer on a data set.

    Attributes:
        records: The explained images.
        similarity: Overlaps of their pathways within and between classes.
        crossed: Pathways on images of other classes; None if all images are predicted as one class.
    """

    records: Records
    similarity: ClassSimilarity
    crossed: Crossed | None


def gather_evidence(session: Session, records: Records, passes: Passes, *, seed: int = 0) -> Evidence:
    """Compares the pathways of ``records``, and runs their data set once more for the crossed pathways.

    Args:
        session: The classifier.
        records: The explained images.
        passes: Their data set.
        seed: Of the choice of images of other classes.
    """
    similarity = class_similarity(records.masks, records.predicted, session.target.num_classes)
    if len(np.unique(records.predicted)) < 2:
        return Evidence(records, similarity, None)
    partners = foreign_partners(records.predicted, seed=seed)
    outcome = masked_predictions(session, records, passes, table=records.table, rows=partners)
    return Evidence(records, similarity, Crossed(partners, outcome["masked_predicted"]))
