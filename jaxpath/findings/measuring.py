"""Pathways put to the test: alone, closed, beside random ones, on other pictures and on blank ones."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxpath.fills import Fill, as_one_program
from jaxpath.findings.controls import (
    NUM_FOREIGN,
    blanks_beside,
    complements,
    foreign_images,
    same_rows,
    shuffled,
)
from jaxpath.findings.pairs import Outcome, Pairs, predict_pairs
from jaxpath.findings.verdicts import Control, Controls
from jaxpath.metrics import Session
from jaxpath.types import Target

NUM_RANDOM = 8
"""Random pathways of the same size that each pathway is compared with."""

ZERO: Mapping[str, Fill] = {"zero": Fill()}
"""Closed neurons are 0, and nothing else."""


class Others(NamedTuple):
    """Pictures among which those of other classes are found.

    Attributes:
        images: uint8 [R, H, W, C].
        predicted: int [R], their predicted classes.
    """

    images: np.ndarray
    predicted: np.ndarray


class Extent(NamedTuple):
    """How much is measured.

    Attributes:
        random: Random pathways; with 0 of them nothing can be concluded.
        foreign: Pictures of other classes, at most.
    """

    random: int = NUM_RANDOM
    foreign: int = NUM_FOREIGN


FULL = Extent()
"""What every verdict rests on."""


class Asked(NamedTuple):
    """Pathways to put to the test, one for each of n pictures.

    Attributes:
        images: uint8 [n, H, W, C], the pictures.
        table: The pathways: channel masks [n, N] or bits of unit masks, as in ``Records.table``.
        classes: int [n], the class that each pathway stands for.
        places: int [n], the place of each picture among all; what is drawn for it depends on this alone.
        against: The class rather than which these are asked for; None: rather than all others.
        extent: How much is measured.
    """

    images: np.ndarray
    table: np.ndarray
    classes: np.ndarray
    places: np.ndarray
    against: int | None = None
    extent: Extent = FULL


class Measured(NamedTuple):
    """What came of one pathway.

    Attributes:
        controls: Ablation -> what was measured under it.
        foreign: int [F], rows of the pictures of other classes that it was put on.
        probabilities: [F], of the pathway's class on each of them, under the first ablation.
    """

    controls: Mapping[str, Controls]
    foreign: np.ndarray
    probabilities: np.ndarray


def put_to_test(
    session: Session,
    asked: Asked,
    *,
    fills: Mapping[str, Fill] = ZERO,
    others: Others | None = None,
    seed: int = 0,
    title: str = "controls",
) -> list[Measured]:
    """Measures every control of every pathway under every ablation.

    Random pathways have as many open channels as the pathway at each site, and the same ones are opened alone
    and closed. Blank pictures are those of :func:`jaxpath.blanks.blank_pictures`.

    Args:
        session: The classifier; its own fill is not used.
        asked: The pathways.
        fills: Ablation -> what closed neurons hold under it, such as :func:`~jaxpath.fills.References.fill`.
        others: Where pictures of other classes are found; None: there are none.
        seed: Of random pathways, blank pictures, and the choice of others.
        title: For the progress bar.

    Returns:
        One for each picture.
    """
    runs = _runs(session.target, asked, others, seed)
    outcomes = {}
    for name, fill in as_one_program(fills).items():
        under = session._replace(fill=fill)
        outcomes[name] = predict_pairs(under, runs.pool, runs.table, runs.pairs, title=f"{title} ({name})")
    first = next(iter(outcomes.values()))
    measured = []
    for i, foreign in enumerate(runs.foreign):
        mine = runs.owners == i
        controls = {
            name: Controls(*(_control(outcome, mine & (runs.kinds == kind), asked, i) for kind in range(6)))
            for name, outcome in outcomes.items()
        }
        shown = first.probability[mine & (runs.kinds == Controls._fields.index("other_pictures"))]
        measured.append(Measured(controls, foreign, shown))
    return measured


def _control(outcome: Outcome, rows: np.ndarray, asked: Asked, i: int) -> Control:
    return Control.of(outcome.probability[rows], outcome.predicted[rows] == asked.classes[i])


class _Runs(NamedTuple):
    """Everything that has to be run under each ablation, n runs.

    Attributes:
        pool: The pictures.
        table: The masks.
        pairs: Which picture under which mask.
        owners: int [n], the pathway that a run tells about.
        kinds: int [n], what it is: the number of a field of :class:`Controls`.
        foreign: For each pathway the rows of others that it is put on.
    """

    pool: np.ndarray
    table: np.ndarray
    pairs: Pairs
    owners: np.ndarray
    kinds: np.ndarray
    foreign: list[np.ndarray]


def _runs(target: Target, asked: Asked, others: Others | None, seed: int) -> _Runs:
    count, num_random = len(asked.images), asked.extent.random
    blanks = blanks_beside(asked.images, asked.places, target, seed=seed)
    foreign = _foreign(asked, others, seed)
    random = np.concatenate(
        [
            shuffled(np.repeat(row[None], num_random, axis=0), target, np.random.default_rng([seed, place]))
            for row, place in zip(asked.table, asked.places, strict=True)
        ]
    )
    table = np.concatenate([asked.table, complements(asked.table), random, complements(random)])
    pool = [asked.images, blanks.reshape(-1, *blanks.shape[2:])]
    if others is not None:
        pool.append(others.images)
    draws, num_blanks, own = np.arange(num_random), blanks.shape[1], np.arange(count)
    parts: list[tuple[np.ndarray, np.ndarray, int, int]] = []  # pictures, masks, owner, kind
    for i in own:
        once, often = np.array([i]), np.full(num_random, i)
        drawn = 2 * count + i * num_random + draws
        rows = [
            (once, once),
            (once, count + once),
            (often, drawn),
            (often, drawn + len(random)),
            (count * (1 + num_blanks) + foreign[i], np.full(len(foreign[i]), i)),
            (count + i * num_blanks + np.arange(num_blanks), np.full(num_blanks, i)),
        ]
        parts += [(pictures, masks, int(i), kind) for kind, (pictures, masks) in enumerate(rows)]
    lengths = [len(part[0]) for part in parts]
    owners, kinds = (np.repeat([part[k] for part in parts], lengths) for k in (2, 3))
    pictures, masks = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    pairs = Pairs(pictures, masks, asked.classes[owners], asked.against)
    return _Runs(np.concatenate(pool), table, pairs, owners, kinds, foreign)


def _foreign(asked: Asked, others: Others | None, seed: int) -> list[np.ndarray]:
    """Rows of others for each pathway: of another class, and another picture."""
    if others is None:
        return [np.zeros(0, np.int64)] * len(asked.images)
    rows = []
    for label, place, itself in zip(
        asked.classes, asked.places, same_rows(asked.images, others.images), strict=True
    ):
        predicted = others.predicted.copy()
        predicted[itself] = label
        rng = np.random.default_rng([seed, place])
        rows.append(foreign_images(label, predicted, rng, most=asked.extent.foreign))
    return rows
