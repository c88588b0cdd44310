"""Runs an explainer over a data set: per-image results on the host, from which every metric is computed."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.finite import flags
from jaxpath.gating import fill_closed
from jaxpath.metrics.faithfulness import confidences, probability
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.records import InsertionDeletion, Records
from jaxpath.metrics.session import Method, Passes, Session
from jaxpath.metrics.under_masks import pack_units
from jaxpath.pathways import flatten, open_first, ranks, unflatten
from jaxpath.places import max_over_places
from jaxpath.types import Batch, EvalStep, Explainer, InputError, Params, Pathway, Target, TargetOutput


def explain_all(session: Session, method: Method, passes: Passes) -> Records:
    """Explains every image's predicted class and runs it under its pathway.

    Args:
        session: The classifier.
        method: The explainer.
        passes: The data set.

    >>> from jaxpath import data, devices, explainers, metrics, targets
    >>> from jaxpath.types import Preprocessing
    >>> def forward(params, images):
    ...     return jax.nn.relu(images.reshape(len(images), -1)) @ params
    >>> weights, pixels = jnp.array([[2.0, 0.0], [-1.0, 0.0]]), Preprocessing(None, (1, 2), (0.0,), (1.0,))
    >>> target = targets.adapt_function(forward, init=lambda _: weights, name="two", preprocessing=pixels)
    >>> session = metrics.Session(target, weights, devices.make_mesh(jax.devices()[:1]), batch_size=2)
    >>> method = metrics.Method.of("taylor", explainers.make_taylor_signed(target, density=0.5))
    >>> source = data.ArraySource(np.array([[[255, 0]], [[0, 255]]], np.uint8), np.array([0, 1]))
    >>> records = explain_all(session, method, metrics.source_passes(session, source))
    >>> records.predicted.tolist(), records.masks.tolist()
    ([0, 1], [[True, False], [True, False]])
    """
    (records,), _ = explain_once(session, method, passes)
    return records


def explain_at_densities(
    session: Session, method: Method, passes: Passes, *, densities: Sequence[float]
) -> list[Records]:
    """Cuts each image's scores at every density, in one pass: each image is explained once.

    The explainer's own masks are not used.

    Args:
        session: The classifier.
        method: The explainer.
        passes: The data set.
        densities: Fractions of neurons to open, in [0, 1]; an argument of the compiled program.

    Returns:
        One :class:`Records` per density.

    Raises:
        InputError: A density lies outside [0, 1], or there is none.
    """
    records, _ = explain_once(session, method, passes, densities=densities)
    return records


def explain_once(
    session: Session,
    method: Method,
    passes: Passes,
    *,
    densities: Sequence[float] | None = None,
    fractions: Sequence[float] | None = None,
) -> tuple[list[Records], InsertionDeletion | None]:
    """What one explanation of each image can tell, in one pass: for explainers that take long.

    Args:
        session: The classifier.
        method: The explainer.
        passes: The data set.
        densities: As in :func:`explain_at_densities`; None: the explainer's own masks.
        fractions: As in :func:`~jaxpath.metrics.curves.insertion_deletion`; None: no such curves.

    Returns:
        One :class:`Records` per density, or one of the explainer's own masks; and the curves, if asked for.

    Raises:
        InputError: A density lies outside [0, 1] or there is none; or the fractions are fewer than two,
            do not rise, or leave [0, 1]; or logits, activations or scores are not finite.
    """
    cuts = None if densities is None else _checked_densities(densities)
    steps = None if fractions is None else _rising_fractions(fractions)
    eval_step = _make_step(session, method)
    frozen = session.params, session.fill, cuts, steps
    explainer_params, frozen = replicate((method.params, frozen), session.mesh)
    results = collect(eval_step, passes(), explainer_params, frozen, mesh=session.mesh, name=name_of(passes))
    curves = None
    if steps is not None:
        curves = InsertionDeletion(steps, results.pop("insertion"), results.pop("deletion"))
    shared = {name: results.pop(name) for name in ("indices", "labels")}
    count = 1 if cuts is None else len(cuts)
    records = [
        Records(**shared, **{name: values[:, place] for name, values in results.items()})
        for place in range(count)
    ]
    return records, curves


def _make_step(session: Session, method: Method) -> EvalStep:
    """The compiled step of :func:`explain_once`; one mask after another, so that memory holds one forward."""
    target = session.target

    def evaluate(explainer_params: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill, cuts, steps = frozen
        explain = method.make(explainer_params)
        clean, pathway = explain_batch(target, params, explain, batch, seed=method.seed)
        predicted = clean.logits.argmax(axis=-1)
        scores = flatten(pathway.scores, target.sites)
        order = ranks(scores)
        fills = fill.values(predicted, batch["index"])

        def under(masks: dict[str, Array]) -> Array:
            return target.apply(params, batch["image"], fill_closed(masks, fills)).logits

        def describe(masks: dict[str, Array]) -> dict[str, Array]:
            return describe_pathways(target, masks, clean, under(masks))

        def cut(flat: Array) -> dict[str, Array]:
            return unflatten(flat, target.sites, like=pathway.scores)

        def insert_delete(step: Array) -> dict[str, Array]:
            best = open_first(order, step)
            return {
                "insertion": probability(under(cut(best)), predicted),
                "deletion": probability(under(cut(1 - best)), predicted),
            }

        if cuts is None:
            records = jax.tree.map(lambda values: values[None], describe(pathway.masks))
        else:
            records = lax.map(lambda density: describe(cut(open_first(order, density))), cuts)
        curves = {} if steps is None else lax.map(insert_delete, steps)
        records, curves = jax.tree.map(lambda values: jnp.moveaxis(values, 0, 1), (records, curves))
        shown = {"indices": batch["index"], "labels": batch["label"], **records, **curves}
        return {**shown, **flags(scores=scores)}

    return make_eval_step(evaluate, session.mesh)


def _checked_densities(densities: Sequence[float]) -> np.ndarray:
    cuts = np.asarray(densities, np.float32)
    if not (cuts.size and ((cuts >= 0) & (cuts <= 1)).all()):
        raise InputError(f"the densities are {list(densities)}; give at least one, each from 0 to 1")
    return cuts


def _rising_fractions(fractions: Sequence[float]) -> np.ndarray:
    """The shares of neurons of an insertion curve, float32 [F], checked."""
    steps = np.asarray(fractions, np.float32)
    if steps.size < 2 or steps[0] < 0 or steps[-1] > 1 or not (np.diff(steps) > 0).all():
        raise InputError(f"the fractions are {list(fractions)}; give at least two, rising, from 0 to 1")
    return steps


def explain_batch(
    target: Target,
    params: Params,
    explain: Explainer,
    batch: Batch,
    *,
    seed: int,
    labels: Array | None = None,
) -> tuple[TargetOutput, Pathway]:
    """One device's clean forward, and its images' pathways for ``labels``; None or negative: as predicted."""
    clean = target.apply(params, batch["image"])
    # Every batch, and every device's part of it, draws its own numbers; padding has index -1.
    key = jax.random.fold_in(jax.random.key(seed), batch["index"].max() + 1)
    predicted = clean.logits.argmax(axis=-1)
    labels = predicted if labels is None else jnp.where(labels < 0, predicted, labels)
    return clean, explain(params, batch["image"], labels, key=key)


def describe_pathways(
    target: Target, masks: Mapping[str, Array], clean: TargetOutput, masked_logits: Array
) -> dict[str, Array]:
    """What :class:`Records` says about a batch, but for ``indices`` and ``labels``; runs on the device.

    Beside it are flags for logits, activations and masks that are not finite, which ``collect`` refuses.

    Args:
        target: The classifier.
        masks: The pathways, by site.
        clean: The forward pass without masks.
        masked_logits: Logits [B, K] of the forward pass under ``masks``.
    """
    activation = {
        name: feature if feature.shape == masks[name].shape else max_over_places(feature)
        for name, feature in clean.features.items()
    }
    activity, gates = flatten(activation, target.sites), flatten(masks, target.sites)
    flat, alive = gates > 0, activity > 0
    opened = flatten({name: max_over_places(mask) for name, mask in masks.items()}, target.sites) > 0
    units = flat.shape[1] > sum(site.channels for site in target.sites)
    return {
        **flags(logits=clean.logits, activations=activity, masks=gates, logits_under_the_mask=masked_logits),
        **confidences(clean.logits, masked_logits),
        "dead_share": (flat & ~alive).sum(axis=1) / jnp.maximum(flat.sum(axis=1), 1),
        "masks": opened,
        "unit_density": flat.astype(jnp.float32).mean(axis=1),
        "unit_bits": pack_units(flat if units else flat[:, :0]),
    }
