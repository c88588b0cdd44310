"""How good pathways are: exact per-image results first, metrics of them afterwards."""

from jaxpath.metrics.between_models import (
    MatrixCorrelation,
    SaliencyAgreement,
    density_over_depth,
    matrix_correlation,
    saliency_agreement,
)
from jaxpath.metrics.chance import Chance, against_chance, chance_warnings
from jaxpath.metrics.class_transfer import class_transfer
from jaxpath.metrics.curves import DENSITIES, FRACTIONS, density_curve, insertion_deletion
from jaxpath.metrics.detection import Detection, Panel, auroc, class_pathways, make_panel
from jaxpath.metrics.evaluating import describe_sites, evaluate_records, figures_of, intervals_of
from jaxpath.metrics.evidence import Evidence, gather_evidence, gather_under, without_trials
from jaxpath.metrics.explaining import (
    describe_pathways,
    explain_all,
    explain_at_densities,
    explain_batch,
    explain_once,
)
from jaxpath.metrics.faithfulness import agreement, agreements, confidences, mean_drop, mean_increase
from jaxpath.metrics.intervals import Interval, image_interval, seed_interval
from jaxpath.metrics.kept_confidence import make_kept_confidence
from jaxpath.metrics.leakage import foreign_partners, kin_partners
from jaxpath.metrics.localisation import (
    Overlap,
    average_precision,
    best_overlap,
    boxes_to_masks,
    energy_in_mask,
    overlap_at,
    pointing_game,
)
from jaxpath.metrics.memory import fitting_batch_size
from jaxpath.metrics.metric import METRICS, Metric, at_densities, metric_names
from jaxpath.metrics.pairs import Pairs, pair_batches
from jaxpath.metrics.passes import array_passes, images_at, per_batch, per_image, source_passes
from jaxpath.metrics.pixels import (
    Aopc,
    Predict,
    RandomizedMaps,
    aopc,
    blurred,
    keeps_class,
    pixel_insertion_deletion,
    randomized_maps,
)
from jaxpath.metrics.records import InsertionDeletion, Records
from jaxpath.metrics.references import NUM_REFERENCES, make_references, site_means
from jaxpath.metrics.sanity import RandomizedStage, Reinitialise, cascading_randomization, make_anew
from jaxpath.metrics.session import MakeExplainer, Method, Passes, Session, Watch
from jaxpath.metrics.similarity import ClassSimilarity, class_similarity, pairwise_iou, random_aciou
from jaxpath.metrics.transfer import following_classes, source_frequencies, transfer, transfer_tables
from jaxpath.metrics.trials import Trials, put_to_trial
from jaxpath.metrics.under_masks import gates_of, masked_predictions, predict_under

__all__ = [
    "DENSITIES",
    "FRACTIONS",
    "METRICS",
    "NUM_REFERENCES",
    "Aopc",
    "Chance",
    "ClassSimilarity",
    "Detection",
    "Evidence",
    "InsertionDeletion",
    "Interval",
    "MakeExplainer",
    "MatrixCorrelation",
    "Method",
    "Metric",
    "Overlap",
    "Pairs",
    "Panel",
    "Passes",
    "Predict",
    "RandomizedMaps",
    "RandomizedStage",
    "Records",
    "Reinitialise",
    "SaliencyAgreement",
    "Session",
    "Trials",
    "Watch",
    "against_chance",
    "agreement",
    "agreements",
    "aopc",
    "array_passes",
    "at_densities",
    "auroc",
    "average_precision",
    "best_overlap",
    "blurred",
    "boxes_to_masks",
    "cascading_randomization",
    "chance_warnings",
    "class_pathways",
    "class_similarity",
    "class_transfer",
    "confidences",
    "density_curve",
    "density_over_depth",
    "describe_pathways",
    "describe_sites",
    "energy_in_mask",
    "evaluate_records",
    "explain_all",
    "explain_at_densities",
    "explain_batch",
    "explain_once",
    "figures_of",
    "fitting_batch_size",
    "following_classes",
    "foreign_partners",
    "gates_of",
    "gather_evidence",
    "gather_under",
    "image_interval",
    "images_at",
    "insertion_deletion",
    "intervals_of",
    "keeps_class",
    "kin_partners",
    "make_anew",
    "make_kept_confidence",
    "make_panel",
    "make_references",
    "masked_predictions",
    "matrix_correlation",
    "mean_drop",
    "mean_increase",
    "metric_names",
    "overlap_at",
    "pair_batches",
    "pairwise_iou",
    "per_batch",
    "per_image",
    "pixel_insertion_deletion",
    "pointing_game",
    "predict_under",
    "put_to_trial",
    "random_aciou",
    "randomized_maps",
    "saliency_agreement",
    "seed_interval",
    "site_means",
    "source_frequencies",
    "source_passes",
    "transfer",
    "transfer_tables",
    "without_trials",
]
