"""Every explanation of a plain net and its LAP net, scored alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath import attributions, data, metrics
from jaxpath.finite import flags
from jaxpath.metrics.trials import REGION
from jaxpath.runs.boxes import Boxed, boxes_seen, with_boxes
from jaxpath.runs.classifiers import classify
from jaxpath.runs.lap.explanations import Explained, explanations
from jaxpath.runs.lap.options import ScoreOptions
from jaxpath.runs.run import say
from jaxpath.runs.study import Net, open_session
from jaxpath.types import Batch, Target

_BLUR = (5, 224)
"""Standard deviation of the blur, and the width of the image that it is for, in pixels (RISE); at least 1."""


def evaluate_lap(
    plain: Net, trained: Net, held_out: data.Source, options: ScoreOptions, *, seed: int = 0
) -> dict[str, Any]:
    """Scores both nets, and every explanation of the classes that they predict.

    Args:
        plain: The net with ordinary pooling.
        trained: The LAP net.
        held_out: The images to score. A source with boxes (:func:`jaxpath.runs.boxes.boxes_seen`) gives the
            localisation as well.
        options: Which explanations, and how.
        seed: Of draws.

    Returns:
        Accuracies, ``explanations`` (name -> score -> mean over the images), and with boxes the pointing game
        and the energy of attention and of the best white-box explainer.
    """
    size = _images_at_once(plain.target, options)
    (plain_accuracy, plain_warnings), (accuracy, warnings) = (
        classify(net.target, net.params, held_out, batch_size=size) for net in (plain, trained)
    )
    figures: dict[str, Any] = {
        "num_images": len(held_out),
        "plain_accuracy": plain_accuracy,
        "accuracy": accuracy,
        "accuracy_difference": accuracy - plain_accuracy,
        "warnings": [*plain_warnings, *warnings],
        "explanations": {},
    }
    rows = figures["explanations"]
    for name, explained in explanations(plain, trained, options).items():
        rows[name] = score_explanation(explained, held_out, options, seed=seed)
        say(f"  {name:>30} " + ", ".join(f"{key} {value:.3f}" for key, value in rows[name].items()))
    if "pointing_game" in rows["lap"]:
        white_box = [row for name, row in rows.items() if name.startswith("plain/")]
        for score in ("pointing_game", "energy_in_mask"):
            figures[score] = rows["lap"][score]
            figures[f"best_explainer_{score}"] = max(row[score] for row in white_box)
    return figures


def score_explanation(
    explained: Explained, source: data.Source, options: ScoreOptions, *, seed: int = 0
) -> dict[str, float]:
    """How well one explanation localises, and whether its pixels carry the decision; means over the images.

    Args:
        explained: A net and its explanation.
        source: The images; localisation needs their boxes.
        options: How many images, and how.
        seed: Of draws.
    """
    scores: dict[str, float] = {}
    boxes = boxes_seen(source, explained.net.target.preprocessing)
    if boxes is not None:
        part = data.draw(source, options.localised_images or len(source), seed=seed)
        boxed = Boxed(part, [boxes[index] for index in part.indices])
        scores |= _pass(explained, boxed, options, _localise, seed)
    if options.curve_images:
        part = data.draw(source, options.curve_images, seed=seed)
        scores |= _pass(explained, part, options, _make_faithful(options), seed)
    return scores


class _Case(NamedTuple):
    """An explained batch: images [b, H, W, C], normalised, maps and regions [b, H, W], and classes [b]."""

    predict: metrics.Predict
    pixels: Array
    maps: Array
    classes: Array
    regions: Array | None


_Judge = Callable[[_Case], dict[str, Array]]


def _pass(
    explained: Explained,
    source: data.Source,
    options: ScoreOptions,
    judge: _Judge,
    seed: int,
) -> dict[str, float]:
    """The means of ``judge`` over one pass; the explained class is the predicted one."""
    (target, target_params, *_), attribute = explained

    def run(params: Any, batch: Batch) -> dict[str, Array]:
        def predict(pixels: Array) -> Array:
            return target.apply(params, pixels).logits

        pixels = attributions.as_pixels(target, batch["image"])
        logits = predict(pixels)
        classes = logits.argmax(axis=-1)
        # Several scores read the maps: XLA could compute them once for each, and round differently.
        maps = lax.optimization_barrier(attribute(params, pixels, classes, key=jax.random.key(seed)))
        scores = judge(_Case(predict, pixels, maps, classes, batch.get(REGION)))
        return {**scores, **flags(logits=logits, values_of_the_map=maps)}

    size = _images_at_once(target, options)
    session = open_session(target, target_params, batch_size=size)
    passes = metrics.source_passes(session, source)
    if isinstance(source, Boxed):
        passes = with_boxes(passes, source.boxes)
    scores = metrics.per_image(
        run, target_params, passes, mesh=session.mesh, undefined=("average_precision",)
    )
    return {name: float(np.nanmean(v)) for name, v in scores.items() if name not in ("indices", "labels")}


def _images_at_once(target: Target, options: ScoreOptions) -> int:
    """Over all devices; fewer than the options say where the gradients of so many need more than 1 GiB."""
    return jax.device_count() * min(options.score_batch_size, metrics.fitting_batch_size(target))


def _localise(case: _Case) -> dict[str, Array]:
    assert case.regions is not None
    masks = case.regions
    return {
        "pointing_game": metrics.pointing_game(case.maps, masks),
        "energy_in_mask": metrics.energy_in_mask(case.maps, masks),
        "best_iou": metrics.best_overlap(case.maps, masks).iou,
        "average_precision": metrics.average_precision(case.maps, masks),
    }


def _make_faithful(options: ScoreOptions) -> _Judge:
    fractions = tuple(np.linspace(0, 1, options.curve_steps + 1).tolist())

    def faithful(case: _Case) -> dict[str, Array]:
        predict, pixels, maps, classes, _ = case
        scores = {}
        sigma, width = _BLUR
        blurred = metrics.blurred(pixels, sigma=max(1.0, sigma * pixels.shape[1] / width))
        mean = jnp.zeros(())
        for name, baseline in (("blur", blurred), ("mean", mean)):
            curves = metrics.pixel_insertion_deletion(
                predict, pixels, maps, classes, baseline=baseline, fractions=fractions
            )
            scores[f"insertion_{name}"] = curves.insertion.mean(axis=1)
            scores[f"deletion_{name}"] = curves.deletion.mean(axis=1)
            most, least = metrics.aopc(curves)
            scores[f"aopc_{name}"], scores[f"morf_lerf_{name}"] = most, most - least
        scores["kept"] = metrics.keeps_class(
            predict, pixels, maps, classes, share=options.kept_share, baseline=mean
        )
        return scores

    return faithful
