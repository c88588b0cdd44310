"""DISCOVER: units that compete, and units named by text (arXiv 2310.04929; CLIP-Dissect)."""

from jaxpath.discover.chance import place_among_chance
from jaxpath.discover.class_means import class_mean_embeddings
from jaxpath.discover.dissection import (
    OUTPUTS,
    Activity,
    bind,
    dissect,
    record_activity,
    save_words,
    summarise,
)
from jaxpath.discover.embeddings import (
    Cosines,
    Embeddings,
    concept_matrix,
    label_embeddings,
    load_embeddings,
    make_cosines,
    read_concepts,
    save_embeddings,
)
from jaxpath.discover.encoders import CLIP, Encoder, embed, load_encoder
from jaxpath.discover.naming import UnitNames, describe_image, name_units
from jaxpath.discover.sampling import (
    Drawn,
    average_logits,
    class_purity,
    evaluate_draws,
    fix_draw,
    running_logits,
)
from jaxpath.discover.similarities import (
    SIMILARITIES,
    cosine,
    cosine_cubed,
    jensen_shannon,
    rank_reorder,
    soft_wpmi,
    wpmi,
)
from jaxpath.targets.lwta import (
    LWTAOutput,
    lwta,
    lwta_argmax,
    win_rate,
    winner_mask,
)

__all__ = [
    "CLIP",
    "OUTPUTS",
    "SIMILARITIES",
    "Activity",
    "Cosines",
    "Drawn",
    "Embeddings",
    "Encoder",
    "LWTAOutput",
    "UnitNames",
    "average_logits",
    "bind",
    "class_mean_embeddings",
    "class_purity",
    "concept_matrix",
    "cosine",
    "cosine_cubed",
    "describe_image",
    "dissect",
    "embed",
    "evaluate_draws",
    "fix_draw",
    "jensen_shannon",
    "label_embeddings",
    "load_embeddings",
    "load_encoder",
    "lwta",
    "lwta_argmax",
    "make_cosines",
    "name_units",
    "place_among_chance",
    "rank_reorder",
    "read_concepts",
    "record_activity",
    "running_logits",
    "save_embeddings",
    "save_words",
    "soft_wpmi",
    "summarise",
    "win_rate",
    "winner_mask",
    "wpmi",
]
