"""From scores to words: the name of each unit, and an image described by its active units."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.choices import CHANCE
from jaxpath.types import InputError

NUM_OTHERS = 4
"""Concepts that are kept behind the best one."""

_ROUNDING = 1e-6
"""Values closer than this share of the largest are equal: a few roundings of float32."""


class UnitNames(NamedTuple):
    """What the K units of a layer stand for.

    Attributes:
        index: int [K], the concept of the highest score.
        score: [K], that score; comparable within one call of one similarity only.
        valid: bool [K]; False for a dead unit, which has the same activation for every image, where no score
            is a number, and where several concepts share the highest one: such a unit has no name.
        concepts: All M concepts.
        num_tied: Units that have no name because several concepts share their highest score.
        others: int [K, n], the concepts of the next highest scores, the highest first; None: not known.
        other_scores: [K, n], their scores.
        chance: [K], from :func:`~jaxpath.discover.place_among_chance`; None: it was not looked for.
    """

    index: np.ndarray  # type: ignore[assignment]  # tuple.index is not missed here
    score: np.ndarray
    valid: np.ndarray
    concepts: tuple[str, ...]
    num_tied: int = 0
    others: np.ndarray | None = None
    other_scores: np.ndarray | None = None
    chance: np.ndarray | None = None

    @property
    def by_chance(self) -> np.ndarray:
        """Bool [K]: a word that chance gives as easily; none where that was not looked for."""
        if self.chance is None:
            return np.zeros(len(self.valid), bool)
        return self.valid & ~(self.chance <= CHANCE)

    @property
    def words(self) -> tuple[str, ...]:
        """One per unit; empty for a unit without a name."""
        return tuple(
            self.concepts[place] if valid else "" for place, valid in zip(self.index, self.valid, strict=True)
        )


def name_units(S: Array | np.ndarray, acts: Array | np.ndarray, concepts: Sequence[str]) -> UnitNames:
    """Names each unit after the concept of its highest score.

    Values that differ by rounding, a millionth of the largest of their unit, are equal: a unit whose
    activations are equal is dead, and one that two concepts describe equally well has no name, because their
    order is no reason. Concepts of the same text are one.

    Args:
        S: Scores [K, M].
        acts: [N, K], the activations that were scored.
        concepts: The M concepts.

    Raises:
        InputError: The shapes do not match.
    """
    scores = np.asarray(S)
    if scores.ndim != 2 or scores.shape != (np.shape(acts)[-1], len(concepts)):
        raise InputError(
            f"the scores have the shape {scores.shape}; expected [K, M] for {np.shape(acts)[-1]} units and "
            f"{len(concepts)} concepts"
        )
    known = np.isfinite(scores).all(axis=1)
    scores = np.where(known[:, None], scores, -np.inf)
    index = scores.argmax(axis=1)
    acts = jnp.asarray(acts)
    alive = np.asarray(acts.max(axis=0) - acts.min(axis=0) > _ROUNDING * jnp.abs(acts).max(axis=0))
    best = np.take_along_axis(scores, index[:, None], axis=1)[:, 0]
    named = known & alive
    tied = named & _tied(scores, best, index, concepts)
    others = _behind(scores, index)
    return UnitNames(
        index,
        np.where(known, best, np.nan),
        named & ~tied,
        tuple(concepts),
        num_tied=int(tied.sum()),
        others=others,
        other_scores=np.where(known[:, None], np.take_along_axis(scores, others, axis=1), np.nan),
    )


def _behind(scores: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The concepts behind the best one, the highest scores first: int [K, n]."""
    rest = scores.copy()
    np.put_along_axis(rest, index[:, None], -np.inf, axis=1)
    count = min(NUM_OTHERS, scores.shape[1] - 1)
    some = np.argpartition(-rest, max(count - 1, 0), axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(rest, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _tied(scores: np.ndarray, best: np.ndarray, index: np.ndarray, concepts: Sequence[str]) -> np.ndarray:
    """Whether a concept of another text has the highest score as well, bool [K]."""
    _, texts = np.unique(np.array(concepts, np.str_), return_inverse=True)
    size = np.where(np.isfinite(scores), np.abs(scores), 0).max(axis=1)
    equal = scores >= (best - _ROUNDING * size)[:, None]
    return (equal & (texts[None] != texts[index][:, None])).any(axis=1)


def describe_image(
    names: UnitNames, acts_row: Array | np.ndarray, winners_row: Array | np.ndarray, *, block_size: int
) -> list[tuple[str, float]]:
    """One image by the winner of each block: (concept, activation), the largest activation first.

    The value is what the unit passes on, with its sign; it is no attribution. Winners are given, because the
    largest of the passed values is a loser's 0 wherever the winner is negative.

    Args:
        names: Of the layer's K units.
        acts_row: [K], what the layer passes on.
        winners_row: int [B], the winners' places in their blocks.
        block_size: U.

    Raises:
        InputError: The layer has no B blocks of U units.
    """
    acts, winners = np.asarray(acts_row), np.asarray(winners_row)
    if acts.shape != (len(names.index),) or winners.shape != (len(acts) // block_size,):
        raise InputError(
            f"{acts.shape} activations and {winners.shape} winners were given; expected {len(names.index)} "
            f"units in blocks of {block_size}"
        )
    units = np.arange(len(winners)) * block_size + winners
    words = names.words
    return [(words[unit], float(acts[unit])) for unit in units[np.argsort(-acts[units], kind="stable")]]
