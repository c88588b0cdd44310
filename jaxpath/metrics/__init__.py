"""How good pathways are: exact per-image results first, metrics of them afterwards."""

from jaxpath.metrics.ablation import site_means
from jaxpath.metrics.between_models import (
    MatrixCorrelation,
    SaliencyAgreement,
    density_over_depth,
    matrix_correlation,
    saliency_agreement,
)
from jaxpath.metrics.curves import DENSITIES, InsertionDeletion, density_curve, insertion_deletion
from jaxpath.metrics.evaluation import (
    describe_masks,
    evaluate_records,
    explain_all,
    explain_at_densities,
    explain_batch,
)
from jaxpath.metrics.faithfulness import agreement, confidences, mean_drop, mean_increase
from jaxpath.metrics.intervals import Interval, image_interval, seed_interval
from jaxpath.metrics.leakage import foreign_partners
from jaxpath.metrics.memory import fitting_batch_size
from jaxpath.metrics.passes import per_image
from jaxpath.metrics.records import Batches, Fills, MakeExplainer, Records
from jaxpath.metrics.sanity import RandomizedStage, cascading_randomization
from jaxpath.metrics.similarity import ClassSimilarity, class_similarity, pairwise_iou, random_aciou
from jaxpath.metrics.tables import gates_of, masked_predictions, predict_under
from jaxpath.metrics.transfer import following_classes, source_frequencies, transfer

__all__ = [
    "DENSITIES",
    "Batches",
    "ClassSimilarity",
    "Fills",
    "InsertionDeletion",
    "Interval",
    "MakeExplainer",
    "MatrixCorrelation",
    "RandomizedStage",
    "Records",
    "SaliencyAgreement",
    "agreement",
    "cascading_randomization",
    "class_similarity",
    "confidences",
    "density_curve",
    "density_over_depth",
    "describe_masks",
    "evaluate_records",
    "explain_all",
    "explain_at_densities",
    "explain_batch",
    "fitting_batch_size",
    "following_classes",
    "foreign_partners",
    "gates_of",
    "image_interval",
    "insertion_deletion",
    "masked_predictions",
    "matrix_correlation",
    "mean_drop",
    "mean_increase",
    "pairwise_iou",
    "per_image",
    "predict_under",
    "random_aciou",
    "saliency_agreement",
    "seed_interval",
    "site_means",
    "source_frequencies",
    "transfer",
]
