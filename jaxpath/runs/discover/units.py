"""How well a network classifies, and what its units stand for, on held-out images."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpath import data, discover, metrics, targets
from jaxpath.runs.study import Net, open_session
from jaxpath.types import Target

_AT_ONCE = 32
"""Images per device."""

_TOP_K = 100
"""Strongest images of a unit, at most one class's share of all."""

_DESCRIBED = 20
"""Images that are described."""


class UnitEvaluation(NamedTuple):
    """A network and its units on held-out images.

    Attributes:
        figures: Every metric by its name.
        names: Site -> names of its units.
        descriptions: Of some images, by the winners of the last site; empty for a rectified network.
    """

    figures: dict[str, Any]
    names: Mapping[str, discover.UnitNames]
    descriptions: list[dict[str, Any]]


def evaluate_units(
    net: Net,
    held_out: data.Source,
    *,
    embeddings: discover.Embeddings | None = None,
    num_workers: int = 0,
    seed: int = 0,
) -> UnitEvaluation:
    """Accuracy by the number of draws, active share, and how well the units of the last site are named.

    Units are recorded in one draw per image, as in the official code.

    Args:
        net: The network.
        held_out: The images.
        embeddings: Of these images and of concepts; None names units after the classes of the images.
        num_workers: Processes that read images; 0 uses threads.
        seed: Of draws.
    """
    target = net.target
    session = open_session(target, net.params, batch_size=_AT_ONCE * jax.device_count())
    passes = metrics.source_passes(session, held_out, reading=data.Reading(num_workers))
    drawn = discover.evaluate_draws(session, passes, seed=seed)
    key = None if target.sample_apply is None else jax.random.key(seed)
    activity = discover.record_activity(session, passes, key=key)
    occurring = np.unique(activity.labels)
    top_k = max(1, min(_TOP_K, len(activity.labels) // len(occurring)))
    similarity = discover.bind("soft_wpmi", key=jax.random.key(seed), top_k=top_k)
    labels = activity.labels_by_place(len(held_out))
    classes = discover.label_embeddings(labels, data.names_of_classes(held_out, target.num_classes))
    by_class = discover.dissect(activity, classes, similarity=similarity)
    figures = {
        "accuracy_by_draws": drawn.accuracy,
        "active_share": drawn.active_share,
        "active_share_by_site": drawn.active_by_site,
        **_named_by_class(target, activity, by_class, top_k),
        "left_out_classes": list(classes.left_out),
        "warnings": metrics.chance_warnings(
            drawn.predicted[max(drawn.predicted)], drawn.labels, target.num_classes, who=target.name
        ),
    }
    names = by_class if embeddings is None else discover.dissect(activity, embeddings, similarity=similarity)
    site = target.sites[-1]
    if site.name not in activity.won:
        return UnitEvaluation(figures, names, [])
    winners = _winners(target, activity)
    if site.spatial is None:
        figures |= _passed_values(activity.channels[site.name], winners)
    descriptions = _describe(target, activity, names[site.name], winners, held_out)
    return UnitEvaluation(figures, names, descriptions)


def _named_by_class(
    target: Target, activity: discover.Activity, names: Mapping[str, discover.UnitNames], top_k: int
) -> dict[str, Any]:
    """Outputs that are named after their class, purity of the last site's units, and units without a name.

    Classes without images are left out: no output can be named after them.
    """
    last, classes = target.sites[-1].name, np.unique(activity.labels)
    outputs = names[discover.OUTPUTS]
    right = (classes[outputs.index] == np.arange(target.num_classes)) & outputs.valid
    purity = discover.class_purity(
        classes[names[last].index], activity.channels[last], activity.labels, top=top_k
    )
    return {
        "outputs_top1": float(right[classes].mean()),
        "purity": float(purity.mean()),
        "dead_units": int((~names[last].valid).sum()) - names[last].num_tied,
        "tied_units": names[last].num_tied,
    }


def _winners(target: Target, activity: discover.Activity) -> np.ndarray:
    """Int [N, C / U]: the place in its block of the last site's unit that won most often."""
    won = activity.won[target.sites[-1].name]
    _, block_size = targets.split_name(target.name)
    return won.reshape(len(won), -1, block_size).argmax(axis=2)


def _passed_values(acts: np.ndarray, winners: np.ndarray) -> dict[str, float]:
    """What winners pass at a dense site, and how often the largest passed value is not theirs.

    Args:
        acts: [N, C].
        winners: int [N, C / U].
    """
    blocks = acts.reshape(*winners.shape, -1)
    passed = np.take_along_axis(blocks, winners[:, :, None], axis=2)[:, :, 0]
    return {
        "negative_winners": float((passed < 0).mean()),
        "wrong_by_largest_value": float((blocks.argmax(axis=2) != winners).mean()),
        "zero_winners": float((passed == 0).mean()),
    }


def _describe(
    target: Target,
    activity: discover.Activity,
    names: discover.UnitNames,
    winners: np.ndarray,
    source: data.Source,
) -> list[dict[str, Any]]:
    """The first images by the winners of the last site."""
    acts = activity.channels[target.sites[-1].name]
    block_size = acts.shape[1] // winners.shape[1]
    return [
        {
            "image": source.name(int(activity.indices[row])),
            "units": discover.describe_image(names, acts[row], winners[row], block_size=block_size),
        }
        for row in range(min(_DESCRIBED, len(acts)))
    ]
