"""Every explanation of a plain net and its LAP net, scored alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath import attributions, data, metrics
from jaxpath.finite import flags
from jaxpath.runs.classifiers import classify
from jaxpath.runs.lap.explanations import Explained, explanations
from jaxpath.runs.lap.options import ScoreOptions
from jaxpath.runs.run import say
from jaxpath.runs.study import Net, open_session
from jaxpath.types import Batch

_BLUR = (5, 224)
"""Standard deviation of the blur, and the width of the image that it is for, in pixels (RISE); at least 1."""


def evaluate_lap(
    plain: Net, trained: Net, held_out: data.Source, options: ScoreOptions, *, seed: int = 0
) -> dict[str, Any]:
    """Scores both nets, and every explanation of the classes that they predict.

    Args:
        plain: The net with ordinary pooling.
        trained: The LAP net.
        held_out: The images to score. A source with ``boxes`` (:class:`jaxpath.data.CanvasSource`) gives the
            localisation as well.
        options: Which explanations, and how.
        seed: Of draws.

    Returns:
        Accuracies, ``explanations`` (name -> score -> mean over the images), and with boxes the pointing game
        and the energy of attention and of the best white-box explainer.
    """
    size = options.score_batch_size * jax.device_count()
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
        source: The images; localisation needs their ``boxes``.
        options: How many images, and how.
        seed: Of draws.
    """
    scores: dict[str, float] = {}
    boxes = getattr(source, "boxes", None)
    if boxes is not None:
        # Only canvases have boxes, and they are all of one size.
        size = np.shape(source[0]["image"])[:2]
        boxes = data.boxes_in_view(boxes, size, explained.net.target.preprocessing)
        scores |= _pass(explained, source, options, _localise, boxes, seed)
    if options.curve_images:
        part = data.draw(source, options.curve_images, seed=seed)
        scores |= _pass(explained, part, options, _make_faithful(options), np.zeros((1, 4)), seed)
    return scores


class _Case(NamedTuple):
    """An explained batch: normalised images [b, H, W, C], maps [b, H, W], classes [b] and boxes [b, 4]."""

    predict: metrics.Predict
    pixels: Array
    maps: Array
    classes: Array
    boxes: Array


_Judge = Callable[[_Case], dict[str, Array]]


def _pass(
    explained: Explained,
    source: data.Source,
    options: ScoreOptions,
    judge: _Judge,
    boxes: np.ndarray,
    seed: int,
) -> dict[str, float]:
    """The means of ``judge`` over one pass; the explained class is the predicted one."""
    (target, target_params, *_), attribute = explained

    def run(params: Any, batch: Batch) -> dict[str, Array]:
        params, boxes = params

        def predict(pixels: Array) -> Array:
            return target.apply(params, pixels).logits

        pixels = attributions.as_pixels(target, batch["image"])
        logits = predict(pixels)
        classes = logits.argmax(axis=-1)
        # Several scores read the maps: XLA could compute them once for each, and round differently.
        maps = lax.optimization_barrier(attribute(params, pixels, classes, key=jax.random.key(seed)))
        places = jnp.clip(batch["index"], 0, len(boxes) - 1)
        scores = judge(_Case(predict, pixels, maps, classes, boxes[places]))
        return {**scores, **flags(logits=logits, values_of_the_map=maps)}

    size = options.score_batch_size * jax.device_count()
    session = open_session(target, target_params, batch_size=size)
    passes = metrics.source_passes(session, source)
    scores = metrics.per_image(
        run,
        (target_params, jnp.asarray(boxes)),
        passes,
        mesh=session.mesh,
        undefined=("average_precision",),
    )
    return {name: float(np.mean(v)) for name, v in scores.items() if name not in ("indices", "labels")}


def _localise(case: _Case) -> dict[str, Array]:
    masks = metrics.boxes_to_masks(case.boxes, (case.maps.shape[1], case.maps.shape[2]))
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
