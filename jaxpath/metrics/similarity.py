"""Are pathways of one class alike, and those of two classes different?"""

from typing import NamedTuple

import numpy as np

from jaxpath import markup
from jaxpath.finite import check
from jaxpath.pathways import iou_of_sizes

_BLOCK = 2048
"""Rows compared at once: memory stays bounded for any number of images."""


class ClassSimilarity(NamedTuple):
    """Overlaps of pathways within and between classes.

    Attributes:
        aciou: Mean over classes of the mean pairwise IoU within the class; a class needs two images.
        between_iou: Mean IoU of all pairs of images of different classes.
        matrix: [K, K], mean IoU of the pairs of images of two classes (of distinct images on the
            diagonal); NaN where there is no pair.
    """

    aciou: float
    between_iou: float
    matrix: np.ndarray

    def _repr_html_(self) -> str:
        caption = f"Overlap (IoU) within classes {self.aciou:.3f}, between classes {self.between_iou:.3f}"
        others = np.where(np.eye(len(self.matrix), dtype=bool), np.nan, self.matrix)
        count = np.isfinite(others).sum(axis=1)
        means = np.where(count > 0, np.nansum(others, axis=1) / np.maximum(count, 1), np.nan)
        pairs = zip(np.diag(self.matrix), means, strict=True)
        rows = [(label, f"{within:.3f}", f"{other:.3f}") for label, (within, other) in enumerate(pairs)]
        return markup.table(caption, ("class", "within", "with other classes"), rows)


def class_similarity(masks: np.ndarray, classes: np.ndarray, num_classes: int) -> ClassSimilarity:
    """Compares all pairs of pathways.

    Args:
        masks: [N_images, N], 0/1.
        classes: [N_images] int, the predicted class of each.
        num_classes: K.

    Read acIoU only beside ``between_iou`` and :func:`random_aciou`: a constant mask scores 1.

    Raises:
        InputError: A mask is not finite.
    """
    check("gates", masks)
    masks = np.asarray(masks, np.float32)
    member = np.eye(num_classes, dtype=np.float64)[classes]  # [N_images, K]
    totals = np.zeros((num_classes, num_classes))
    for start in range(0, len(masks), _BLOCK):
        rows = slice(start, start + _BLOCK)
        overlaps = pairwise_iou(masks[rows], masks)
        # An image with itself is no pair.
        overlaps[np.arange(len(overlaps)), np.arange(start, start + len(overlaps))] = 0
        totals += member[rows].T @ overlaps @ member
    counts = member.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    with np.errstate(invalid="ignore"):
        matrix = np.where(pairs > 0, totals / pairs, np.nan)
    within = np.diag(matrix)
    different = ~np.eye(num_classes, dtype=bool)
    return ClassSimilarity(
        aciou=float(np.nanmean(within)) if np.isfinite(within).any() else float("nan"),
        between_iou=float(totals[different].sum() / pairs[different].sum())
        if pairs[different].sum()
        else float("nan"),
        matrix=matrix,
    )


def pairwise_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of every row of ``first`` [A, N] with every row of ``second`` [B, N] -> [A, B].

    Two empty pathways have IoU 1.

    Raises:
        InputError: A mask is not finite.
    """
    check("gates", first, second)
    both = first @ second.T
    either = first.sum(axis=1)[:, None] + second.sum(axis=1)[None, :] - both
    return iou_of_sizes(both, either)


def random_aciou(density: float) -> float:
    """The acIoU that random masks of this density already have: d / (2 - d).

    >>> random_aciou(0.5)
    0.3333333333333333
    """
    return density / (2 - density)
