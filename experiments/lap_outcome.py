"""What a run of LAP leaves behind: every explanation scored alike, ``results.json``, and figures."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from common import eval_passes, say
from lap_fitting import LapTrained
from outcome import write_results

from jaxpath import attributions, data, devices, lap, metrics, report
from jaxpath.types import InputError, Params, Target

_SHOWN = 6
_COMPARED = ("gradcam", "lrp_composite")
"""Explainers that are drawn beside the attention, on the plain net."""


@dataclasses.dataclass(frozen=True)
class ScoreOptions:
    """How explanations are scored.

    Attributes:
        explainers: White-box explainers to compare with; none takes all.
        curve_images: Held-out images on which pixels are inserted and deleted; 0 leaves that out.
        curve_steps: Steps of these curves.
        kept_share: Share of the pixels that is left for the accuracy on the best pixels.
        score_batch_size: Images at once, per device.
    """

    explainers: tuple[str, ...] = ()
    curve_images: int = 200
    curve_steps: int = 20
    kept_share: float = 0.1
    score_batch_size: int = 50

    def check(self) -> None:
        """Raises an error for an option that makes no sense."""
        if unknown := sorted(set(self.explainers) - set(attributions.names())):
            raise InputError(f"--explainers names {unknown}; choose among {', '.join(attributions.names())}")
        if self.curve_steps < 1 or self.score_batch_size < 1 or not 0 < self.kept_share <= 1:
            raise InputError(
                f"--curve-steps is {self.curve_steps}, --score-batch-size {self.score_batch_size} and "
                f"--kept-share {self.kept_share}; expected at least 1, at least 1 and a share up to 1"
            )


class Explained(NamedTuple):
    """A net and one way to explain it, all as ``(params, images, labels, *, key) -> [B, H, W]``."""

    target: Target
    params: Params
    attribute: attributions.Attribution


def explanations(plain: LapTrained, trained: LapTrained, options: ScoreOptions) -> dict[str, Explained]:
    """Attention, all sites together and one by one, and every white-box explainer on either net."""
    found = {
        "lap": Explained(*trained, lap.make_attention(trained.target)),
        "lap/product": Explained(*trained, lap.make_attention(trained.target, combine="product")),
    }
    for name in _site_names(trained.target):
        found[f"lap/{name}"] = Explained(*trained, _one_site(trained.target, name))
    for name in options.explainers or attributions.names():
        for title, net in (("plain", plain), ("on_lap", trained)):
            found[f"{title}/{name}"] = Explained(*net, attributions.make_attribution(name, net.target))
    return found


def report_lap(
    plain: LapTrained,
    trained: LapTrained,
    held_out: data.Source,
    options: ScoreOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping[str, Any],
    began: float,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Scores every explanation of the predicted classes and writes ``results.json`` and ``maps.png``.

    A source with ``boxes`` (:class:`jaxpath.data.CanvasSource`) gives the localisation as well.
    """
    say(f"evaluation: {len(held_out)} held-out images")
    scores: dict[str, Any] = {"num_images": len(held_out), **(more or {})}
    for name, net in (("plain_accuracy", plain), ("accuracy", trained)):
        scores[name] = _accuracy(net, held_out, options)
    scores["accuracy_difference"] = scores["accuracy"] - scores["plain_accuracy"]
    rows = {}
    for name, explained in explanations(plain, trained, options).items():
        rows[name] = _score(explained, held_out, options, seed=seed)
        say(f"  {name:>30} " + ", ".join(f"{key} {value:.3f}" for key, value in rows[name].items()))
    scores["explanations"] = rows
    if "pointing_game" in rows["lap"]:
        white_box = [row for name, row in rows.items() if name.startswith("plain/")]
        scores["pointing_game"] = rows["lap"]["pointing_game"]
        scores["energy_in_mask"] = rows["lap"]["energy_in_mask"]
        scores["best_explainer_energy_in_mask"] = max(row["energy_in_mask"] for row in white_box)
        scores["best_explainer_pointing_game"] = max(row["pointing_game"] for row in white_box)
    _draw(plain, trained, held_out, out=out, seed=seed)
    write_results(out, scores, config=config, began=began)
    for name in (
        "accuracy",
        "plain_accuracy",
        "pointing_game",
        "energy_in_mask",
        "best_explainer_energy_in_mask",
    ):
        if name in scores:
            say(f"  {name:>30} {scores[name]:.3f}")


def _score(
    explained: Explained, source: data.Source, options: ScoreOptions, *, seed: int
) -> dict[str, float]:
    """Means over the images."""
    scores: dict[str, float] = {}
    boxes = getattr(source, "boxes", None)
    if boxes is not None:
        scores |= _pass(explained, source, options, _localise, boxes, seed=seed)
    if options.curve_images:
        chosen = data.draw(source, options.curve_images, seed=seed)
        fractions = tuple(np.linspace(0, 1, options.curve_steps + 1).tolist())

        def faithful(explained, pixels, maps, classes, _):
            return _faithful(explained, pixels, maps, classes, fractions, options.kept_share)

        scores |= _pass(explained, chosen, options, faithful, np.zeros((1, 4)), seed=seed)
    return scores


def _pass(
    explained: Explained,
    source: data.Source,
    options: ScoreOptions,
    judge: Any,
    boxes: np.ndarray,
    *,
    seed: int,
) -> dict[str, float]:
    """The means of ``judge`` over one pass; the explained class is the predicted one."""
    target, attribute = explained.target, explained.attribute

    def run(params: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        params, boxes = params
        pixels = attributions.as_pixels(target, batch["image"])
        classes = target.apply(params, pixels).logits.argmax(axis=-1)
        maps = attribute(params, pixels, classes, key=jax.random.key(seed))
        own = boxes[jnp.clip(batch["index"], 0, len(boxes) - 1)]
        return judge(explained._replace(params=params), pixels, maps, classes, own)

    mesh = devices.make_mesh()
    passes = eval_passes(source, target, batch_size=options.score_batch_size * mesh.size)
    found = metrics.per_image(run, (explained.params, jnp.asarray(boxes)), passes, mesh=mesh)
    return {name: float(np.mean(v)) for name, v in found.items() if name not in ("indices", "labels")}


def _localise(explained: Explained, pixels: Any, maps: Any, classes: Any, boxes: Any) -> dict[str, Any]:
    masks = metrics.boxes_to_masks(boxes, (maps.shape[1], maps.shape[2]))
    return {
        "pointing_game": metrics.pointing_game(maps, masks),
        "energy_in_mask": metrics.energy_in_mask(maps, masks),
        "best_iou": metrics.best_overlap(maps, masks).iou,
        "average_precision": metrics.average_precision(maps, masks),
    }


def _faithful(
    explained: Explained, pixels: Any, maps: Any, classes: Any, fractions: tuple[float, ...], share: float
) -> dict[str, Any]:
    target, params, _ = explained
    sigma = max(1.0, 5 * pixels.shape[1] / 224)
    found = {}
    for name, baseline in (("blur", metrics.blurred(pixels, sigma=sigma)), ("mean", jnp.zeros(()))):
        curves = metrics.pixel_insertion_deletion(
            target, params, pixels, maps, classes, baseline=baseline, fractions=fractions
        )
        found[f"insertion_{name}"] = curves.insertion.mean(axis=1)
        found[f"deletion_{name}"] = curves.deletion.mean(axis=1)
        most, least = metrics.aopc(curves)
        found[f"aopc_{name}"], found[f"morf_lerf_{name}"] = most, most - least
    found["kept"] = metrics.keeps_class(
        target, params, pixels, maps, classes, share=share, baseline=jnp.zeros(())
    )
    return found


def _accuracy(net: LapTrained, source: data.Source, options: ScoreOptions) -> float:
    def correct(params: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        logits = net.target.apply(params, batch["image"]).logits
        return {"correct": (logits.argmax(axis=-1) == batch["label"]).astype(jnp.float32)}

    mesh = devices.make_mesh()
    passes = eval_passes(source, net.target, batch_size=options.score_batch_size * mesh.size)
    return float(metrics.per_image(correct, net.params, passes, mesh=mesh)["correct"].mean())


def _draw(plain: LapTrained, trained: LapTrained, source: data.Source, *, out: Path, seed: int) -> None:
    """Draws ``maps.png``: a few held-out images, attention level by level, and what explainers say."""
    chosen = data.draw(source, _SHOWN, seed=seed)
    target = trained.target
    (batch, *_) = list(eval_passes(chosen, target, batch_size=len(chosen))())
    images, size = batch["image"], (batch["image"].shape[1], batch["image"].shape[2])

    @jax.jit
    def attend(params: Params, images: Any) -> Any:
        seen = lap.read(target.apply(params, images))
        return lap.explain(seen, seen.logits.argmax(axis=-1), size=size), seen.logits.argmax(axis=-1)

    (combined, sites), classes = attend(trained.params, images)
    maps = {name.partition("_")[2]: values for name, values in sites.items()} | {"combined": combined}
    for name in _COMPARED:
        run = jax.jit(attributions.make_attribution(name, plain.target))
        maps[f"plain: {name}"] = run(plain.params, images, classes, key=jax.random.key(seed))
    names = source.class_names
    captions = [
        names[c] if c == true else f"{names[c]}, is {names[true]}"
        for c, true in zip(np.asarray(classes), batch["label"], strict=True)
    ]
    boxes = getattr(source, "boxes", None)
    figure = report.plot_maps(
        images, maps, boxes=None if boxes is None else boxes[chosen.indices], captions=captions
    )
    report.save_figure(figure, out / "maps.png")


def _site_names(target: Target) -> list[str]:
    params = jax.eval_shape(target.init, jax.random.key(0))
    shape = (1, *target.preprocessing.crop, len(target.preprocessing.mean))
    seen = jax.eval_shape(target.apply, params, jax.ShapeDtypeStruct(shape, jnp.uint8))
    return sorted(lap.read(seen).scores)


def _one_site(target: Target, site: str) -> attributions.Attribution:
    def attribute(params: Params, images: Any, labels: Any, *, key: Any) -> Any:
        del key
        seen = lap.read(target.apply(params, images))
        return lap.explain(seen, labels, size=(images.shape[1], images.shape[2]))[1][site]

    return attribute
