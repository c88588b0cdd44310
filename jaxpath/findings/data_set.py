"""Everything about the pathways of a data set: from per-image records to facts for a page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxpath.findings.assessing import Assessment
from jaxpath.metrics import Records, class_similarity
from jaxpath.metrics.transfer import source_frequencies
from jaxpath.pathways import iou_of_sizes

NUM_OUTLIERS = 24
MOST_POINTS = 3000
"""Images on the map; of more, a random part is shown."""

_LEAST_IMAGES = 5
"""A class needs as many for its pathway to say that an image is unlike it."""


class ClassRow(NamedTuple):
    """A class as a whole, over the images that are predicted as it.

    Attributes:
        label: The class.
        num_images: Images predicted as it.
        accuracy: Share of them that are of it.
        fidelity: Share that keep the class under their pathway.
        density: Mean share of open channels.
        within: Mean IoU of two of its images' pathways; NaN for a single image.
    """

    label: int
    num_images: int
    accuracy: float
    fidelity: float
    density: float
    within: float


class Outlier(NamedTuple):
    """An image whose pathway is unlike its class's.

    Attributes:
        row: Its row in the records.
        iou: Of its pathway and the class's, which is what at least half of the class's images keep.
        typical: The median of that IoU over the class.
    """

    row: int
    iou: float
    typical: float


class DataSetFinding(NamedTuple):
    """The pathways of a data set.

    Attributes:
        records: Per image.
        metrics: From :func:`~jaxpath.metrics.evaluate_records`.
        classes: Those that are predicted at all, by number.
        matrix: [C, C], mean IoU of the pathways of two of these classes.
        rows: Rows of the records that are on the map.
        points: [P, 2], their places, in [0, 1].
        explained: [2], share of the pathways' variance along each axis.
        outliers: The most unlike first.
        under: Ablation -> the metrics where closed neurons hold it; those of ``metrics`` are the first.
        assessments: What may be concluded about some of the images.
    """

    records: Records
    metrics: Mapping[str, Any]
    classes: tuple[ClassRow, ...]
    matrix: np.ndarray
    rows: np.ndarray
    points: np.ndarray
    explained: np.ndarray
    outliers: tuple[Outlier, ...]
    under: Mapping[str, Mapping[str, Any]]
    assessments: tuple[Assessment, ...]


def find_data_set(
    records: Records,
    metrics: Mapping[str, Any],
    *,
    under: Mapping[str, Mapping[str, Any]] | None = None,
    assessments: Sequence[Assessment] = (),
    seed: int = 0,
) -> DataSetFinding:
    """Groups, compares and maps the pathways of a data set.

    Args:
        records: The explained images.
        metrics: Their metrics, from :func:`~jaxpath.metrics.evaluate_records`.
        seed: Of the choice of images on the map.
    """
    labels = np.unique(records.predicted)
    dense = np.searchsorted(labels, records.predicted)
    matrix = class_similarity(records.masks, dense, len(labels)).matrix
    rows = np.arange(len(dense))
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_POINTS])
    points, explained = project(records.masks[rows])
    return DataSetFinding(
        records=records,
        metrics=metrics,
        classes=tuple(_class_row(records, int(label), matrix[i, i]) for i, label in enumerate(labels)),
        matrix=matrix,
        rows=rows,
        points=points,
        explained=explained,
        outliers=outliers(records, dense),
        under=under or {},
        assessments=tuple(assessments),
    )


def _class_row(records: Records, label: int, within: float) -> ClassRow:
    members = records.predicted == label
    return ClassRow(
        label=label,
        num_images=int(members.sum()),
        accuracy=float((records.labels[members] == label).mean()),
        fidelity=float((records.masked_predicted[members] == label).mean()),
        density=float(records.unit_density[members].mean()),
        within=float(within),
    )


def outliers(records: Records, classes: np.ndarray, *, most: int = NUM_OUTLIERS) -> tuple[Outlier, ...]:
    """The images whose IoU with their class's pathway lies furthest below the median of their class.

    Args:
        records: The explained images.
        classes: int [n] in [0, C), the groups; one of fewer than five images has no outlier.
        most: How many.
    """
    frequencies = source_frequencies(records._replace(predicted=classes), int(classes.max()) + 1)
    shared = frequencies[classes] >= 0.5
    both, either = ((shared & records.masks).sum(axis=1), (shared | records.masks).sum(axis=1))
    iou = iou_of_sizes(both, either)
    typical = np.array([np.median(iou[classes == c]) for c in range(len(frequencies))])[classes]
    large = np.bincount(classes)[classes] >= _LEAST_IMAGES
    order = np.argsort(np.where(large, iou - typical, np.inf), kind="stable")[:most]
    return tuple(
        Outlier(int(i), float(iou[i]), float(typical[i])) for i in order if large[i] and iou[i] < typical[i]
    )


def project(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two directions along which pathways differ most (PCA): places in [0, 1], shares of variance.

    One scale for both axes, so that distances on the map can be compared; zeros if all are equal.

    Args:
        masks: bool [n, N].

    Returns:
        [n, 2] and [2].
    """
    from sklearn.decomposition import PCA

    if (masks == masks[:1]).all():
        return np.full((len(masks), 2), 0.5), np.zeros(2)
    # Two images of one channel each differ in one direction at most.
    count = min(2, *masks.shape)
    pca = PCA(count, svd_solver="full" if count < 2 else "auto", random_state=0)
    places = np.zeros((len(masks), 2))
    places[:, :count] = pca.fit_transform(masks.astype(np.float32))
    middle = (places.max(axis=0, keepdims=True) + places.min(axis=0, keepdims=True)) / 2
    explained = np.zeros(2)
    explained[:count] = pca.explained_variance_ratio_
    return 0.5 + (places - middle) / np.ptp(places, axis=0).max(), explained
