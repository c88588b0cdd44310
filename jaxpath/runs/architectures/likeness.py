"""What the pathways of two classifiers have in common, although no neuron is in both."""

from typing import Any

import numpy as np

from jaxpath import metrics
from jaxpath.runs.architectures.profiles import Profile
from jaxpath.runs.saliency import SCORES

_NAN = float("nan")


def compare_profiles(first: Profile, second: Profile, *, seed: int) -> dict[str, Any]:
    """What two models have in common.

    Args:
        first: One model.
        second: The other, of the same images.
        seed: Of permutations, resampling and the choice of other images.

    Returns:
        ``same_prediction``, the share of images; ``density_gap``, the mean distance of their densities over
        depth; ``iou_correlation`` of their class-by-class overlaps; ``saliency``, agreement by kind of map;
        ``differences``, the first model's figure less the second's on the same images, with an interval.
    """
    same = first.records.predicted == second.records.predicted
    classes = predicted_classes(first, second)
    block = np.ix_(classes, classes)
    gap = np.abs(first.densities.mean(axis=0) - second.densities.mean(axis=0))
    return {
        "same_prediction": float(same.mean()),
        "density_gap": float(gap.mean()),
        "iou_correlation": metrics.matrix_correlation(
            first.iou[block], second.iou[block], seed=seed
        )._asdict(),
        "saliency": {
            kind: compare_saliency(maps[same], second.saliency[kind][same], seed=seed)
            for kind, maps in first.saliency.items()
        },
        "differences": {
            name: metrics.image_interval(values, seed=seed)._asdict()
            for name, values in _differences(first, second).items()
        },
    }


def _differences(first: Profile, second: Profile) -> dict[str, np.ndarray]:
    """Figures of each image by the first model less those by the second, [N_images] each."""
    pairs: dict[str, list[np.ndarray]] = {"fidelity": [], "drop": [], "density": []}
    for profile in (first, second):
        records = profile.records
        clean = records.clean_confidence
        pairs["fidelity"].append(records.masked_predicted == records.predicted)
        pairs["drop"].append(np.maximum(clean - records.masked_confidence, 0) / clean)
        pairs["density"].append(records.masks.mean(axis=1))
        for name, values in (profile.localised or {}).items():
            if name.endswith(tuple(SCORES)):
                pairs.setdefault(name, []).append(values)
    return {name: one.astype(float) - other.astype(float) for name, (one, other) in pairs.items()}


def predicted_classes(first: Profile, second: Profile) -> np.ndarray:
    """The classes that one of the models predicts, rising."""
    return np.union1d(first.records.predicted, second.records.predicted)


def compare_saliency(first: np.ndarray, second: np.ndarray, *, seed: int) -> dict[str, float]:
    """Mean agreement of the maps of images that both models put into one class.

    Args:
        first: [N_images, H, W], maps of one model.
        second: [N_images, H, W], maps of the other.
        seed: Of the choice of other images, and of resampling.

    Returns:
        ``matched`` with an interval over images, ``mismatched``, and ``num_images``, how many they rest on:
        images without saliency in one of the models have no agreement. NaN if fewer than two are left.
    """
    agreement = metrics.saliency_agreement(first, second, seed=seed) if len(first) > 1 else np.empty((2, 0))
    matched, mismatched = (values[np.isfinite(values)] for values in agreement)
    if min(matched.size, mismatched.size) < 2:
        return {"matched": _NAN, "mismatched": _NAN, "num_images": matched.size}
    interval = metrics.image_interval(matched, seed=seed)
    return {
        "matched": interval.mean,
        "matched_low": interval.low,
        "matched_high": interval.high,
        "mismatched": float(mismatched.mean()),
        "num_images": matched.size,
    }
