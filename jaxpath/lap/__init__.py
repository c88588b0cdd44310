"""LAP: pools that attend, and knowledge injected into what they attend to.

Our own design, after the abstract of Modegh et al. 2022 (arXiv 2201.11808), which gives no formula.
"""

from jaxpath.lap.canvas_net import canvas_net
from jaxpath.lap.layers import AttentionMaps, AttentionPooling, LocalAttentionPool, ScoreHead
from jaxpath.lap.losses import (
    absence_loss,
    agreement_loss,
    annotation_loss,
    area_loss,
    binary_loss,
    distinguishing_loss,
    presence_loss,
    region_loss,
)
from jaxpath.lap.nets import (
    LapOutput,
    explain,
    extend,
    keep_weights,
    make_attention,
    own_concept,
    places,
    plain_weights,
    read,
)
from jaxpath.lap.objective import (
    Forward,
    Knowledge,
    LapWeights,
    boxes_knowledge,
    init_training,
    lap_losses,
    make_knowledge,
    make_objective,
    no_knowledge,
    trained_params,
)
from jaxpath.lap.pooling import (
    complement_pool,
    global_attention,
    global_attention_pool,
    local_attention_pool,
    merged_attention_pool,
    subsample_or_attend,
    window_attention,
)
from jaxpath.lap.schedules import PLUG_IN, Stage, constant, make_optimizer, ramped, trainable_labels

__all__ = [
    "PLUG_IN",
    "AttentionMaps",
    "AttentionPooling",
    "Forward",
    "Knowledge",
    "LapOutput",
    "LapWeights",
    "LocalAttentionPool",
    "ScoreHead",
    "Stage",
    "absence_loss",
    "agreement_loss",
    "annotation_loss",
    "area_loss",
    "binary_loss",
    "boxes_knowledge",
    "canvas_net",
    "complement_pool",
    "constant",
    "distinguishing_loss",
    "explain",
    "extend",
    "global_attention",
    "global_attention_pool",
    "init_training",
    "keep_weights",
    "lap_losses",
    "local_attention_pool",
    "make_attention",
    "make_knowledge",
    "make_objective",
    "make_optimizer",
    "merged_attention_pool",
    "no_knowledge",
    "own_concept",
    "places",
    "plain_weights",
    "presence_loss",
    "ramped",
    "read",
    "region_loss",
    "subsample_or_attend",
    "trainable_labels",
    "trained_params",
    "window_attention",
]
