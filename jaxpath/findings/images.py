"""Everything about a few pictures: from an explainer and a classifier to facts for a page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.findings.assessing import Assessment, Conditions, assess
from jaxpath.findings.attributing import attribute_pixels
from jaxpath.findings.channels import strong_channels
from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.controls import opened
from jaxpath.findings.facts import ClassPathway, ImageFinding, Neighbour, Thumbnail, WordShare
from jaxpath.findings.measuring import Others
from jaxpath.findings.pairs import Pairs, saliency_pairs
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.reference import Reference
from jaxpath.findings.survey import Survey
from jaxpath.findings.wording import compare_words, flat_words, words_of
from jaxpath.findings.words import Words
from jaxpath.metrics import Session, pairwise_iou

NUM_TOP = 5
NUM_NEIGHBOURS = 6
NUM_EXAMPLES = 6


class Context(NamedTuple):
    """What a report sets pictures beside.

    Attributes:
        reference: Images to compare with; without them there are no crops and no neighbours, and pictures of
            other classes are found among the pictures themselves.
        class_pathways: The pathways of the classes, if they were learned.
        words: What channels stand for.
        attributions: Further maps of the pixels that matter, of :func:`jaxpath.attributions.names`.
    """

    reference: Reference | None = None
    class_pathways: ClassPathways | None = None
    words: Words | None = None
    attributions: Sequence[str] = ()


ALONE = Context()
"""Pictures beside nothing."""


def find_images(
    session: Session,
    pictures: Pictures,
    survey: Survey,
    *,
    context: Context = ALONE,
    assessments: Sequence[Assessment] | None = None,
    seed: int = 0,
) -> list[ImageFinding]:
    """Measures what a report says about each picture.

    Args:
        session: The classifier.
        pictures: The pictures, n of them.
        survey: What the explainer says about them.
        context: What they are set beside.
        assessments: What may be concluded about each, from :func:`~jaxpath.findings.assess`; None measures
            it, with neurons closed to 0 and by the context's reference.
        seed: Of random pathways, blank pictures, and the choice of pictures of other classes.
    """
    reference, class_pathways, words, attributions = context
    others = others_for(pictures, survey, reference)
    if assessments is None:
        conditions = Conditions(others=others, class_pathways=class_pathways, seed=seed)
        assessments = assess(session, pictures, survey, conditions)
    saliency = _saliency(session, pictures, survey, assessments)
    maps = attribute_pixels(
        session,
        attributions,
        pictures,
        survey.classes,
        against=assessments[0].against if assessments else None,
        seed=seed,
    )
    sites = session.target.sites
    named = None if words is None else flat_words(words, sites)
    findings = []
    for i, (image, assessment) in enumerate(zip(pictures.images, assessments, strict=True)):
        one = survey.take(np.array([i]))
        rest = None if reference is None else reference.without(image)
        same, unlike = neighbours(one, rest)
        shared = _class_pathway(one, class_pathways)
        measured = assessment.measured
        best = np.argsort(-measured.probabilities, kind="stable")[:NUM_EXAMPLES] if reference else ()
        findings.append(
            ImageFinding(
                name=pictures.names[i],
                image=image,
                top=top_classes(one.logits[0]),
                assessment=assessment,
                mask=one.records.masks[0],
                dead_share=float(one.records.dead_share[0]),
                saliency=saliency[i],
                channels=strong_channels(image, one, sites=sites, reference=rest, words=words),
                class_pathway=shared,
                examples=tuple(_thumbnail(reference, measured.foreign[k]) for k in best) if reference else (),
                probabilities=tuple(float(measured.probabilities[k]) for k in best),
                same=same,
                others=unlike,
                words=() if named is None else _words(one, class_pathways, named),
                beside_class=None
                if named is None or shared is None
                else compare_words(one.records.masks[0], shared.mask, named),
                maps=maps.of(i),
            )
        )
    return findings


def others_for(pictures: Pictures, survey: Survey, reference: Reference | None) -> Others | None:
    """Among which pictures those of other classes are found: the reference, else the pictures themselves."""
    if reference is not None:
        return Others(reference.pictures.images, reference.survey.records.predicted)
    predicted = survey.records.predicted
    return Others(pictures.images, predicted) if len(np.unique(predicted)) > 1 else None


def top_classes(logits: np.ndarray) -> tuple[tuple[int, float], ...]:
    """The most probable classes of logits [K] and their probabilities, the most probable first."""
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    probabilities = shifted / shifted.sum()
    best = np.argsort(-probabilities, kind="stable")[:NUM_TOP]
    return tuple((int(label), float(probabilities[label])) for label in best)


def _saliency(
    session: Session, pictures: Pictures, survey: Survey, assessments: Sequence[Assessment]
) -> np.ndarray:
    """Plain and through the pathway, [n, 2, H, W]."""
    table = survey.records.table
    count = len(pictures.images)
    both = np.concatenate([table, opened(table)])
    images = np.repeat(np.arange(count), 2)
    masks = np.where(np.arange(2 * count) % 2 == 0, count, images)
    against = assessments[0].against if assessments else None
    pairs = Pairs(images, masks, survey.classes[images], against)
    maps = saliency_pairs(session, pictures.images, both, pairs)
    return maps.reshape(count, 2, *maps.shape[1:])


def _class_pathway(one: Survey, class_pathways: ClassPathways | None) -> ClassPathway | None:
    label = int(one.classes[0])
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
        known[one.classes[0]] = False
        if known.any():
            usual = class_pathways.frequencies[known].mean(axis=0)
    return words_of(mask, named, usual=usual)


def neighbours(
    one: Survey, reference: Reference | None
) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """Reference images whose pathways overlap most with the picture's: of the explained class, and of others.

    Args:
        one: The survey of one picture.
        reference: The images to look in.
    """
    if reference is None:
        return (), ()
    overlaps = _iou(one.records.masks, reference.survey.records.masks)[0]
    order = np.argsort(-overlaps, kind="stable")
    same = reference.survey.records.predicted[order] == one.classes[0]
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
