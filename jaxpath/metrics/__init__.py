"""How good pathways are: exact per-image results first, metrics of them afterwards."""

from jaxpath.metrics.evaluation import (
    Batches,
    Records,
    evaluate_records,
    explain_all,
    masked_predictions,
)
from jaxpath.metrics.faithfulness import agreement, confidences, mean_drop, mean_increase
from jaxpath.metrics.leakage import foreign_partners
from jaxpath.metrics.similarity import ClassSimilarity, class_similarity, pairwise_iou, random_aciou
from jaxpath.metrics.transfer import source_frequencies, transfer

__all__ = [
    "Batches",
    "ClassSimilarity",
    "Records",
    "agreement",
    "class_similarity",
    "confidences",
    "evaluate_records",
    "explain_all",
    "foreign_partners",
    "masked_predictions",
    "mean_drop",
    "mean_increase",
    "pairwise_iou",
    "random_aciou",
    "source_frequencies",
    "transfer",
]
