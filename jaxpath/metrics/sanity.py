"""Do pathways depend on what the target has learned? Re-initialise it from the top and compare.

Cascading randomisation of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 4.1: an
explanation that stays the same while the weights are replaced does not explain the model.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.devices.collecting import collect, make_eval_step
from jaxpath.devices.mesh import replicate
from jaxpath.finite import flags
from jaxpath.metrics.explaining import explain_batch
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.session import Method, Passes, Session
from jaxpath.pathways import flatten, iou, open_first, ranks
from jaxpath.types import Batch, EvalStep, InputError, Params, Target

LOGITS = "logits"
"""Stage of the parameters that reach no site: the classifier."""


Reinitialise = Literal["init", "permute", "resample"]
"""How parameters are made anew: by the target's own ``init``, or by shuffling each trained array, or by
drawing each of its values from those of the array with replacement."""


class RandomizedStage(NamedTuple):
    """How much of the pathways is left once the target is re-initialised down to a stage.

    Attributes:
        stage: The last stage that was re-initialised: "logits", or a site's name.
        share: Share of the target's parameters that are re-initialised by now.
        iou: [N_images], overlap of each pathway with that of the trained target.
        spearman: [N_images], rank correlation of the scores; NaN where all scores of an image tie.
    """

    stage: str
    share: float
    iou: np.ndarray
    spearman: np.ndarray


def cascading_randomization(
    session: Session,
    method: Method,
    passes: Passes,
    *,
    density: float | None = None,
    reinitialise: Reinitialise = "init",
) -> list[RandomizedStage]:
    """Explains the target while its layers are re-initialised one after another, from the classifier.

    Every stage explains the class that the trained target predicts. The explainer is not retrained.

    Args:
        session: The trained classifier.
        method: The explainer; its seed is also that of the new weights.
        passes: The images.
        density: Where scores are cut; None: the explainer's own masks.
        reinitialise: See :data:`Reinitialise`.

    Returns:
        One entry per stage that has parameters, from the top down; in the last one nothing trained is
        left. An IoU is to be read beside that of random masks, d / (2 - d).

    Raises:
        InputError: The session's parameters are not of its target, or logits or scores are not finite; or
            the target's ``init`` returns the trained parameters.
    """
    step = _make_similarity_step(session, method, density=density)
    example = next(iter(passes()))["image"][:1]
    explainer_params, trained = replicate((method.params, session.params), session.mesh)
    stages = []
    fresh = make_anew(session.target, session.params, seed=method.seed, reinitialise=reinitialise)
    for stage, share, mixed in randomized_stages(session.target, session.params, fresh, example):
        frozen = trained, replicate(mixed, session.mesh)
        similarity = collect(
            step,
            passes(),
            explainer_params,
            frozen,
            mesh=session.mesh,
            undefined=("spearman",),
            name=name_of(passes),
        )
        stages.append(RandomizedStage(stage, share, **similarity))
    return stages


def make_anew(target: Target, params: Params, *, seed: int, reinitialise: Reinitialise = "init") -> Params:
    """Parameters of the same shapes that have learned nothing.

    Args:
        target: The classifier.
        params: Its trained parameters.
        seed: Of what is drawn.
        reinitialise: See :data:`Reinitialise`.

    Raises:
        InputError: ``params`` are not of this target; or its ``init`` returns trained arrays for any key.
    """
    if reinitialise not in ("init", "permute", "resample"):
        raise InputError(f"reinitialise is {reinitialise!r}; expected 'init', 'permute' or 'resample'")
    if reinitialise != "init":
        draw = np.random.default_rng(seed)
        return jax.tree.map(lambda leaf: _shuffled(np.asarray(leaf), draw, reinitialise), params)
    fresh = target.init(jax.random.key(seed))
    shapes, new_shapes = (jax.tree.map(np.shape, tree) for tree in (params, fresh))
    if shapes != new_shapes:
        raise InputError(
            f"the parameters have the shapes {shapes}, but {target.name}'s init makes {new_shapes}; give the "
            "parameters of this target"
        )
    kept = _num_kept(params, fresh)
    # Parameters that were never trained are those of one key only.
    if kept and _num_kept(params, target.init(jax.random.key(seed + 1))):
        raise InputError(
            f"{kept} of {len(jax.tree.leaves(params))} arrays that {target.name}'s init returns are the "
            "trained ones for any key, so that nothing would be re-initialised; give reinitialise='permute', "
            "which shuffles each array, or 'resample', or an init that draws"
        )
    return fresh


def _shuffled(array: np.ndarray, draw: np.random.Generator, reinitialise: Reinitialise) -> np.ndarray:
    values = array.reshape(-1)
    drawn = draw.permutation(values) if reinitialise == "permute" else draw.choice(values, values.size)
    return drawn.reshape(array.shape)


def _num_kept(params: Params, fresh: Params) -> int:
    """How many arrays are the same in both, but for those that are one number throughout, such as zeros."""
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(fresh), strict=True)
    arrays = ((np.asarray(old), np.asarray(new)) for old, new in pairs)
    return sum(np.array_equal(old, new) and bool(np.ptp(old)) for old, new in arrays if old.size > 1)


def randomized_stages(
    target: Target, params: Params, fresh: Params, image: np.ndarray | Array
) -> Iterator[tuple[str, float, Params]]:
    """Re-initialises a target from the classifier down, one stage after another.

    Args:
        target: The classifier.
        params: Its trained parameters.
        fresh: The new ones, of :func:`make_anew`.
        image: One image, [1, H, W, C].

    Yields:
        The stage, the share of the parameters that are new by now, and the parameters.
    """
    stages = stage_of_parameters(target, params, image)
    leaves, structure = jax.tree.flatten(params)
    sizes = np.array([np.size(leaf) for leaf in leaves])
    reset = np.zeros(len(leaves), bool)
    for stage in [LOGITS, *(site.name for site in reversed(target.sites))]:
        if stage not in stages:
            continue
        reset |= np.array([name == stage for name in stages])
        mixed = [
            new if here else old for here, new, old in zip(reset, jax.tree.leaves(fresh), leaves, strict=True)
        ]
        yield stage, float(sizes[reset].sum() / sizes.sum()), jax.tree.unflatten(structure, mixed)


def stage_of_parameters(target: Target, params: Params, image: np.ndarray | Array) -> list[str]:
    """The first site, in forward order, that each array of ``params`` reaches; "logits" if none.

    Found by spoiling one array after another with NaN, which passes through every layer that uses it.
    So it needs no names of layers, and holds for any target.

    Args:
        target: The classifier.
        params: Its parameters.
        image: One image, [1, H, W, C].

    Returns:
        One name per leaf of ``jax.tree.leaves(params)``.
    """

    @jax.jit
    def features(params: Params, image: Array) -> dict[str, Array]:
        return target.apply(params, image).features

    @jax.jit
    def changed(spoilt: dict[str, Array], clean: dict[str, Array]) -> dict[str, Array]:
        return {name: (spoilt[name] != clean[name]).any() for name in clean}

    clean = features(params, image)
    leaves, structure = jax.tree.flatten(params)
    names = []
    for place, leaf in enumerate(leaves):
        spoilt = [*leaves[:place], jnp.full_like(leaf, jnp.nan), *leaves[place + 1 :]]
        reached = changed(features(jax.tree.unflatten(structure, spoilt), image), clean)
        names.append(next((site.name for site in target.sites if reached[site.name]), LOGITS))
    return names


def spearman(first: Array, second: Array) -> Array:
    """Rank correlation of scores, row by row, [B, N] and [B, N] -> [B]; equal scores share their mean rank.

    >>> import jax.numpy as jnp
    >>> print(spearman(jnp.array([[1.0, 2.0, 4.0]]), jnp.array([[0.3, 0.2, 0.1]])).round(4))
    [-1.]
    """
    a, b = (_centred_ranks(scores) for scores in (first, second))
    return (a * b).sum(axis=1) / jnp.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))


def _centred_ranks(scores: Array) -> Array:
    """Mean rank of each score's ties, from -1/2 to 1/2: small numbers, so that sums stay exact enough."""

    def of_row(row: Array) -> Array:
        ordered = jnp.sort(row)
        first, last = (jnp.searchsorted(ordered, row, side=side) for side in ("left", "right"))
        # The difference is of integers: a compiled division may round, and no tie may be left off the centre.
        return (first + last - row.size) / (2 * row.size)

    return jax.vmap(of_row)(scores)


def _make_similarity_step(session: Session, method: Method, *, density: float | None) -> EvalStep:
    """A compiled step that explains a batch by the trained and by the re-initialised target."""
    target = session.target

    def evaluate(explainer_params: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        trained, randomized = frozen
        explain = method.make(explainer_params)
        clean, before = explain_batch(target, trained, explain, batch, seed=method.seed)
        labels = clean.logits.argmax(axis=-1)
        _, after = explain_batch(target, randomized, explain, batch, seed=method.seed, labels=labels)
        scores = [flatten(pathway.scores, target.sites) for pathway in (before, after)]
        if density is None:
            masks = [flatten(pathway.masks, target.sites) for pathway in (before, after)]
        else:
            masks = [open_first(ranks(values), density) for values in scores]
        shown = {"iou": iou(*masks), "spearman": spearman(*scores)}
        return {**shown, **flags(logits=clean.logits, scores=jnp.stack(scores, axis=1))}

    return make_eval_step(evaluate, session.mesh)
