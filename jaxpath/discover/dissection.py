"""Any target's channels on a data set, and what they stand for."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.discover.chance import is_informed, place_among_chance
from jaxpath.discover.embeddings import Cosines, Embeddings, make_cosines
from jaxpath.discover.naming import UnitNames, name_units
from jaxpath.discover.similarities import SIMILARITIES, soft_wpmi
from jaxpath.files import write_text
from jaxpath.metrics import Passes, Session, per_image
from jaxpath.registry import choose
from jaxpath.targets import win_rate
from jaxpath.types import Competition, InputError, Params, Site, Target, TargetOutput

OUTPUTS = "logits"
"""What the output units are called beside the sites."""

Reduce = Literal["mean", "max"]


class Activity(NamedTuple):
    """Every channel of a target on every image of a data set, in its order; on the host.

    Attributes:
        indices: int [N], place in the data set.
        labels: int [N].
        channels: Site name, or ``"logits"`` -> activations [N, C].
        won: Site name -> how often each channel won its competition, [N, C], the mean over positions; empty
            for a target none of whose channels compete.
    """

    indices: np.ndarray
    labels: np.ndarray
    channels: dict[str, np.ndarray]
    won: dict[str, np.ndarray]

    def labels_by_place(self, count: int) -> np.ndarray:
        """int64 [count]: the labels by place in a data set of ``count``.

        Where an image was not read there is the first label that was: no class occurs by that alone.
        """
        labels = np.full(count, self.labels[0] if len(self.labels) else 0, np.int64)
        labels[self.indices] = self.labels
        return labels


def summarise(features: Array, *, reduce: Reduce = "mean") -> Array:
    """One value per channel: mean or maximum of [N, H, W, C] over space, token 0 of [N, T, K], [N, K] itself.

    Raises:
        InputError: Another shape or another ``reduce``.
    """
    if features.ndim == 2:
        return features
    if features.ndim == 3:
        return features[:, 0]
    if features.ndim != 4 or reduce not in ("mean", "max"):
        raise InputError(
            f"features of shape {tuple(features.shape)} were to be reduced by {reduce!r}; expected "
            "[N, H, W, C], [N, T, K] or [N, K], and 'mean' or 'max'"
        )
    return features.mean(axis=(1, 2)) if reduce == "mean" else features.max(axis=(1, 2))


def record_activity(
    session: Session,
    passes: Passes,
    *,
    sites: Collection[str] | None = None,
    reduce: Reduce = "mean",
    key: Array | None = None,
) -> Activity:
    """Runs a target over a data set and keeps one value per channel and image.

    Args:
        session: Any classifier. Of tokens, the class token is kept.
        passes: The data set.
        sites: Names of the sites to keep; None keeps all.
        reduce: How a feature map becomes one value.
        key: Of one draw per image for a target that draws, as in the official code; it belongs to the image's
            place in the data set. None takes the likeliest outcome.

    Raises:
        InputError: A name is no site of the target, or a key was given for a target that draws nothing.
    """
    target = session.target
    by_name = {site.name: site for site in target.sites}
    recorded = list(by_name if sites is None else sites)
    if unknown := [name for name in recorded if name not in by_name]:
        raise InputError(f"{unknown} are no sites of {target.name}; choose among {list(by_name)}")
    run = partial(_run, target, key)

    def evaluate(params: Params, batch: Mapping[str, Array]) -> dict[str, Array]:
        output = run(params, batch)
        values, competitions = {OUTPUTS: output.logits}, output.records(Competition)
        for name in recorded:
            values[name] = summarise(_tokens(output.features[name], by_name[name]), reduce=reduce)
            if name in competitions:
                winners = competitions[name].winners
                size = by_name[name].channels // winners.shape[-1]
                values[f"won {name}"] = win_rate(_tokens(winners, by_name[name], first=True), block_size=size)
        return {name: value.astype(jnp.float32) for name, value in values.items()}

    channels = per_image(evaluate, session.params, passes, mesh=session.mesh)
    indices, labels = channels.pop("indices"), channels.pop("labels")
    won_names = [name for name in channels if name.startswith("won ")]
    won = {name.removeprefix("won "): channels.pop(name) for name in won_names}
    return Activity(indices, labels, channels, won)


def _run(target: Target, key: Array | None, params: Params, batch: Mapping[str, Array]) -> TargetOutput:
    if key is None:
        return target.apply(params, batch["image"])
    if target.sample_apply is None:
        raise InputError(f"draws were asked for, but {target.name} draws nothing; leave out the key")
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, batch["index"])
    return target.sample_apply(params, batch["image"], key=keys)


def _tokens(values: Array, site: Site, *, first: bool = False) -> Array:
    """Tokens of a transformer as [N, T, K], or its class token alone; feature maps as they are.

    Tokens without a class token are a map of one column.
    """
    if site.spatial is None or len(site.spatial) == 2:
        return values
    if site.patches is None or site.patches.first == 0:
        return values[:, :, None]
    return values[:, 0] if first else values


def dissect(
    activity: Activity,
    embeddings: Embeddings,
    *,
    similarity: Callable[[Cosines, np.ndarray], Array] = soft_wpmi,
    winners_only: bool = False,
    permutations: int = 0,
    seed: int = 0,
) -> dict[str, UnitNames]:
    """Names every channel that was recorded, each site by itself.

    Args:
        activity: From :func:`record_activity`.
        embeddings: Of the whole data set, in its order.
        similarity: One of :data:`~jaxpath.discover.SIMILARITIES`, with options bound by ``partial``.
        winners_only: Leaves an image out of a channel's set where it won nowhere; for ``soft_wpmi`` and
            ``wpmi``. Our choice.
        permutations: Random orders of the pictures that a unit's score is compared with, see
            :func:`~jaxpath.discover.place_among_chance`; 0 leaves that out.
        seed: Of these.

    Returns:
        Site name, or ``"logits"`` -> names of its units.

    Raises:
        InputError: The embeddings are of another number of images, or the similarity knows no winners.

    >>> shown = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])  # two cats, then two dogs
    >>> embeddings = Embeddings(images=shown, texts=np.eye(2), concepts=("cat", "dog"))
    >>> excited = {"000.relu": np.array([[0.0, 7.0], [0.0, 8.0], [5.0, 0.0], [6.0, 0.0]])}
    >>> activity = Activity(np.arange(4), np.array([0, 0, 1, 1]), excited, {})
    >>> dissect(activity, embeddings, similarity=SIMILARITIES["cosine"])["000.relu"].words
    ('dog', 'cat')
    """
    if len(activity.indices) and activity.indices.max() >= len(embeddings.images):
        raise InputError(
            f"there are embeddings of {len(embeddings.images)} images, but the data set has image "
            f"{activity.indices.max()}; expected one for each, in the order of the data set"
        )
    if winners_only and not is_informed(similarity):
        raise InputError("only soft_wpmi and wpmi leave out images that a channel lost; choose one of them")
    cosines = make_cosines(embeddings.images[activity.indices], embeddings.texts)
    names = {}
    for name, acts in activity.channels.items():
        won = {"won": activity.won[name] > 0} if winners_only and name in activity.won else {}
        units = name_units(similarity(cosines, acts, **won), acts, embeddings.concepts)
        if permutations:
            chance = place_among_chance(
                similarity, cosines, acts, units.index, permutations=permutations, seed=seed, **won
            )
            units = units._replace(chance=chance)
        names[name] = units
    return names


def save_words(names: Mapping[str, UnitNames], path: str | Path, *, left_out: Sequence[str] = ()) -> None:
    """Writes the words of sites as JSON: ``jaxpath.findings.load_words`` reads it.

    Site -> channel -> ``word``, its ``score``, ``chance`` if that was looked for, and ``next``, the words of
    the next highest scores with these. Units without a name and the output units are left out.

    Args:
        names: From :func:`dissect`.
        path: The file.
        left_out: What no unit could be named after, :attr:`Embeddings.left_out`; it stands in the file as
            ``left_out``.
    """
    words: dict[str, Any] = {
        site: {str(unit): _worth(units, unit) for unit in np.flatnonzero(units.valid).tolist()}
        for site, units in names.items()
        if site != OUTPUTS
    }
    if left_out:
        words["left_out"] = list(left_out)
    write_text(path, json.dumps(words, indent=1, ensure_ascii=False) + "\n")


def _worth(units: UnitNames, unit: int) -> dict[str, Any]:
    word: dict[str, Any] = {
        "word": units.concepts[units.index[unit]],
        "score": round(float(units.score[unit]), 6),
    }
    if units.chance is not None:
        word["chance"] = round(float(units.chance[unit]), 6)
    if units.others is not None and units.other_scores is not None:
        rows = zip(units.others[unit], units.other_scores[unit], strict=True)
        word["next"] = [[units.concepts[place], round(float(score), 6)] for place, score in rows]
    return word


def bind(name: str, *, key: Array, **options: float | int | None) -> Callable[..., Array]:
    """A similarity by its name, with the options that are not None.

    Args:
        name: One of :data:`~jaxpath.discover.SIMILARITIES`.
        key: For those that draw.
        **options: Such as ``top_k``.

    Raises:
        InputError: There is no such similarity, or it has no such option.
    """
    similarity = choose(SIMILARITIES, name, kind="similarity")
    known = similarity.__kwdefaults__ or {}
    keywords: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    if unknown := [option for option in keywords if option not in known]:
        raise InputError(f"{name} has no option {unknown[0]}; it has {', '.join(known) or 'none'}")
    if name == "rank_reorder":
        keywords["key"] = key
    return partial(similarity, **keywords)
