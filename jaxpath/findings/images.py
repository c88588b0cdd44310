"""Everything about a few pictures: from an explainer and a classifier to facts for a page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.findings.channels import Words, strong_channels
from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.controls import (
    NUM_RANDOM,
    blank_images,
    complements,
    foreign_images,
    opened,
    shuffled,
)
from jaxpath.findings.facts import (
    ClassPathway,
    Confidence,
    ImageFinding,
    Leakage,
    Neighbour,
    Thumbnail,
    WordShare,
)
from jaxpath.findings.pairs import Outcome, Pairs, predict_pairs, saliency_pairs
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.reference import Reference
from jaxpath.findings.survey import Survey
from jaxpath.findings.wording import compare_words, flat_words, words_of
from jaxpath.metrics import Session, pairwise_iou

NUM_TOP = 5
NUM_NEIGHBOURS = 6
NUM_EXAMPLES = 6


class Context(NamedTuple):
    """What a report sets pictures beside.

    Attributes:
        reference: Images to compare with; without them there are no crops, no neighbours, and leakage is
            measured on pictures of nothing only.
        class_pathways: The pathways of the classes, if they were learned.
        words: What channels stand for.
    """

    reference: Reference | None = None
    class_pathways: ClassPathways | None = None
    words: Words | None = None


ALONE = Context()
"""Pictures beside nothing."""


def find_images(
    session: Session, pictures: Pictures, survey: Survey, *, context: Context = ALONE, seed: int = 0
) -> list[ImageFinding]:
    """Measures what a report says about each picture.

    Args:
        session: The classifier.
        pictures: The pictures, n of them.
        survey: What the explainer says about them.
        context: What they are set beside.
        seed: Of random pathways, noise, and the choice of pictures of other classes.
    """
    reference, class_pathways, words = context
    controls = _controls(session, pictures, survey, seed=seed)
    leakage = _leakage(session, pictures, survey, reference, seed=seed)
    transferred = _class_confidence(session, pictures, survey, class_pathways)
    saliency = _saliency(session, pictures, survey)
    sites = session.target.sites
    named = None if words is None else flat_words(words, sites)
    findings = []
    for i, image in enumerate(pictures.images):
        one = survey.take(np.array([i]))
        records = one.records
        rest = None if reference is None else reference.without(image)
        same, others = neighbours(one, rest)
        shared = _class_pathway(one, class_pathways)
        findings.append(
            ImageFinding(
                name=pictures.names[i],
                image=image,
                label=int(pictures.labels[i]),
                top=_top(one.logits[0]),
                masked_predicted=int(records.masked_predicted[0]),
                mask=records.masks[0],
                density=float(records.unit_density[0]),
                dead_share=float(records.dead_share[0]),
                confidence=Confidence(
                    clean=float(records.clean_confidence[0]),
                    pathway=float(records.masked_confidence[0]),
                    removed=float(controls.probability[i, 0]),
                    random=float(controls.probability[i, 1:].mean()),
                    class_pathway=transferred[i],
                ),
                saliency=saliency[i],
                channels=strong_channels(image, one, sites=sites, reference=rest, words=words),
                class_pathway=shared,
                leakage=leakage[i],
                same=same,
                others=others,
                words=() if named is None else _words(one, class_pathways, named),
                beside_class=None
                if named is None or shared is None
                else compare_words(records.masks[0], shared.mask, named),
            )
        )
    return findings


def _top(logits: np.ndarray) -> tuple[tuple[int, float], ...]:
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    probabilities = shifted / shifted.sum()
    best = np.argsort(-probabilities, kind="stable")[:NUM_TOP]
    return tuple((int(label), float(probabilities[label])) for label in best)


def _controls(session: Session, pictures: Pictures, survey: Survey, *, seed: int) -> Outcome:
    """Each picture without its pathway, then under random ones: [n, 1 + NUM_RANDOM] each."""
    table, count = survey.records.table, len(pictures.images)
    rng = np.random.default_rng(seed)
    tables = np.concatenate([complements(table), *(shuffled(table, rng) for _ in range(NUM_RANDOM))])
    images = np.tile(np.arange(count), 1 + NUM_RANDOM)
    pairs = Pairs(images, np.arange(len(tables)), survey.records.predicted[images])
    outcome = predict_pairs(session, pictures.images, tables, pairs, title="controls")
    return Outcome(*(values.reshape(-1, count).T for values in outcome))


def _leakage(
    session: Session, pictures: Pictures, survey: Survey, reference: Reference | None, *, seed: int
) -> list[Leakage]:
    """Puts each pathway on pictures of nothing, and on reference images of other classes."""
    blanks = blank_images(pictures.images.shape[1:], seed)
    predicted = survey.records.predicted
    foreign_rows = [np.zeros(0, np.int64)] * len(predicted)
    pool = blanks
    if reference is not None:
        foreign_rows = foreign_images(predicted, reference.survey.records.predicted, seed=seed)
        pool = np.concatenate([blanks, reference.pictures.images])
    runs = [np.concatenate([np.arange(len(blanks)), len(blanks) + rows]) for rows in foreign_rows]
    masks = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    pairs = Pairs(np.concatenate(runs), masks, predicted[masks])
    outcome = predict_pairs(session, pool, survey.records.table, pairs, title="leakage")
    each = []
    for i, rows in enumerate(foreign_rows):
        mine = Outcome(*(values[masks == i] for values in outcome))
        blank, foreign = (
            Outcome(*(values[part] for values in mine))
            for part in (slice(None, len(blanks)), slice(len(blanks), None))
        )
        best = np.argsort(-foreign.probability, kind="stable")[:NUM_EXAMPLES]
        each.append(
            Leakage(
                blank=float(blank.probability.mean()),
                blank_share=float((blank.predicted == predicted[i]).mean()),
                num_foreign=len(rows),
                foreign=_mean(foreign.probability),
                foreign_share=_mean(foreign.predicted == predicted[i]),
                examples=tuple(_thumbnail(reference, rows[k]) for k in best) if reference else (),
                probabilities=tuple(float(foreign.probability[k]) for k in best),
            )
        )
    return each


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _class_confidence(
    session: Session, pictures: Pictures, survey: Survey, class_pathways: ClassPathways | None
) -> Sequence[float | None]:
    """Each picture's confidence under the pathway of its predicted class, None where there is none."""
    predicted = survey.records.predicted
    confidences: list[float | None] = [None] * len(predicted)
    if class_pathways is None:
        return confidences
    known = np.flatnonzero(class_pathways.known[predicted])
    if not known.size:
        return confidences
    pairs = Pairs(known, predicted[known], predicted[known])
    outcome = predict_pairs(session, pictures.images, class_pathways.masks, pairs, title="class pathways")
    for place, value in zip(known, outcome.probability, strict=True):
        confidences[place] = float(value)
    return confidences


def _saliency(session: Session, pictures: Pictures, survey: Survey) -> np.ndarray:
    """Plain and through the pathway, [n, 2, H, W]."""
    table = survey.records.table
    count = len(pictures.images)
    both = np.concatenate([table, opened(table)])
    images = np.repeat(np.arange(count), 2)
    masks = np.where(np.arange(2 * count) % 2 == 0, count, images)
    pairs = Pairs(images, masks, survey.records.predicted[images])
    maps = saliency_pairs(session, pictures.images, both, pairs)
    return maps.reshape(count, 2, *maps.shape[1:])


def _class_pathway(one: Survey, class_pathways: ClassPathways | None) -> ClassPathway | None:
    label = int(one.records.predicted[0])
    if class_pathways is None or not class_pathways.known[label]:
        return None
    mask = class_pathways.frequencies[label] >= class_pathways.threshold
    iou = float(_iou(one.records.masks, mask[None])[0, 0])
    return ClassPathway(class_pathways.frequencies[label], mask, int(class_pathways.counts[label]), iou)


def _words(one: Survey, class_pathways: ClassPathways | None, named: np.ndarray) -> tuple[WordShare, ...]:
    """The picture's pathway in words, against the mean pathway of the other classes or against chance."""
    mask = one.records.masks[0]
    usual: np.ndarray | float = float(mask.mean())
    if class_pathways is not None:
        known = class_pathways.known.copy()
        known[one.records.predicted[0]] = False
        if known.any():
            usual = class_pathways.frequencies[known].mean(axis=0)
    return words_of(mask, named, usual=usual)


def neighbours(
    one: Survey, reference: Reference | None
) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """Reference images whose pathways overlap most with the picture's: of its class, and of others.

    Args:
        one: The survey of one picture.
        reference: The images to look in.
    """
    if reference is None:
        return (), ()
    overlaps = _iou(one.records.masks, reference.survey.records.masks)[0]
    order = np.argsort(-overlaps, kind="stable")
    same = reference.survey.records.predicted[order] == one.records.predicted[0]
    first, second = (
        tuple(Neighbour(_thumbnail(reference, i), float(overlaps[i])) for i in group[:NUM_NEIGHBOURS])
        for group in (order[same], order[~same])
    )
    return first, second


def _iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return pairwise_iou(first.astype(np.float32), second.astype(np.float32))


def _thumbnail(reference: Reference, row: int) -> Thumbnail:
    return Thumbnail(
        reference.pictures.images[row],
        reference.pictures.names[row],
        int(reference.survey.records.predicted[row]),
    )
