"""Findings that were never measured: small, and with names that hold HTML."""

import numpy as np

from jaxpath.findings import (
    Assessment,
    ClassPathway,
    Control,
    Controls,
    ImageFinding,
    Measured,
    Neighbour,
    StrongChannel,
    Thumbnail,
    Word,
    find_data_set,
    judge,
)
from jaxpath.metrics import Records
from jaxpath.report import Setting
from jaxpath.types import Site

SITES = (
    Site("000.relu", 3, (4, 4)),
    Site("001.layer1.0.relu1", 100, (2, 2)),
    Site("002.classifier.1", 4, None),
)
N = 107
NASTY = """<script>alert(1)</script><img src=x onerror="alert('2')"> & "'{{ 7 * 7 }}"""


def picture(value: int = 0) -> np.ndarray:
    return np.full((40, 40, 3), value, np.uint8)


def control(probability: float, *, share: float | None = None, spread: float = 0.0, runs: int = 8) -> Control:
    """Of runs that end as the class if it has at least a half, or so many of them."""
    share = float(probability >= 0.5) if share is None else share
    return Control(probability, share, probability - spread, probability + spread, runs)


def controls(
    alone=0.9, closed=0.05, random_alone=0.1, random_closed=0.6, other_pictures=0.02, blank_pictures=0.01
) -> Controls:
    """Of a pathway that carries its decision, but for what is given."""
    once = (control(alone, runs=1), control(closed, runs=1))
    drawn = (control(value, spread=0.05) for value in (random_alone, random_closed))
    shown = (v if isinstance(v, Control) else control(v) for v in (other_pictures, blank_pictures))
    return Controls(*once, *drawn, *shown)


def assessment(under=None, **changes) -> Assessment:
    """Of the class 1, with probability 0.75, under the ablations that are given."""
    measured = Measured(under or {"zero": controls(), "mean": controls()}, np.zeros(0, int), np.zeros(0))
    values = {
        "name": f"folder/{NASTY.replace('/', '')}",
        "label": -1,
        "predicted": 1,
        "probability": 0.75,
        "explained": 1,
        "against": None,
        "clean": 0.75,
        "density": 2 / N,
        "alone_predicted": 1,
        "measured": measured,
        **changes,
    }
    judgement = judge(values["measured"].controls, values["clean"])
    return Assessment(**{"judgement": judgement, **values})


def finding(**changes) -> ImageFinding:
    thumbnail = Thumbnail(picture(9), NASTY, 1)
    mask = np.zeros(N, bool)
    mask[[0, 5]] = True
    values = {
        "name": f"folder/{NASTY.replace('/', '')}",
        "image": picture(),
        "top": ((1, 0.75), (0, 0.25)),
        "assessment": assessment(),
        "mask": mask,
        "dead_share": 0.0,
        "saliency": np.ones((2, 40, 40)),
        "channels": (StrongChannel(SITES[1], 2, 1.25, 0.5, Word(NASTY), picture(), (thumbnail,)),),
        "class_pathway": ClassPathway(np.linspace(0, 1, N), mask, 12, 1.0),
        "examples": (thumbnail,),
        "probabilities": (0.93,),
        "same": (Neighbour(thumbnail, 0.6),),
        "others": (Neighbour(thumbnail, 0.2),),
    }
    return ImageFinding(**{**values, **changes})


def setting(**changes) -> Setting:
    values = {"model": NASTY, "sites": SITES, "class_names": ("dog", NASTY), "method": NASTY}
    return Setting(**{**values, "reference": NASTY, "details": [(NASTY, NASTY)], **changes})


def data_set(count: int, num_channels: int = N, classes: int = 3):
    rng = np.random.default_rng(0)
    predicted = np.arange(count) % classes
    values = {name: np.zeros(count) for name in Records._fields}
    values |= {"indices": np.arange(count), "labels": predicted, "predicted": predicted}
    values |= {"masked_predicted": predicted, "clean_confidence": rng.random(count)}
    masks = rng.random((count, num_channels)) < 0.2 + 0.5 * (
        np.arange(num_channels) % classes == predicted[:, None]
    )
    values |= {"masks": masks, "unit_density": masks.mean(axis=1)}
    metrics = {
        **dict.fromkeys(("target_accuracy", "fidelity", "density", "density_std", "random_aciou"), 0.95),
        **{"aciou": 0.5, "between_iou": 0.45, "iou_gap": 0.05, "leakage": 0.7, "retention": 0.1},
        "collapsed_sites": [NASTY],
    }
    return find_data_set(Records(**values), metrics)
