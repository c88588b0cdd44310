import numpy as np
import pytest
from tiny_target import NUM_CLASSES, numpy_forward, softmax, split_channels, tiny_params

from jaxpath.findings import Context, Reference, find_images, learn_class_pathways, survey
from jaxpath.findings.controls import blanks_beside
from jaxpath.findings.images import neighbours


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


@pytest.fixture(scope="module")
def reference(pictures, surveyed):
    """The pictures but the first two."""
    rest = np.arange(2, 11)
    return Reference(pictures.take(rest), surveyed.take(rest))


@pytest.fixture(scope="module")
def findings(session, pictures, surveyed, reference):
    learned = learn_class_pathways(surveyed.records, NUM_CLASSES)
    return find_images(
        session, pictures.take(range(3)), surveyed.take(np.arange(3)), context=Context(reference, learned)
    )


def probability(image, label, mask=None):
    masks = None if mask is None else split_channels(np.asarray(mask, float))
    return softmax(numpy_forward(tiny_params(), image.astype(np.float64), masks)[0])[label]


def test_confidences_are_those_of_a_slow_forward(findings):
    for finding in findings:
        image, label, mask = finding.image, finding.explained, finding.mask
        measured = finding.assessment.measured.controls["zero"]
        assert finding.assessment.clean == pytest.approx(probability(image, label), abs=1e-4)
        assert measured.alone.probability == pytest.approx(probability(image, label, mask), abs=1e-4)
        assert measured.closed.probability == pytest.approx(probability(image, label, ~mask), abs=1e-4)
        of_class = finding.assessment.class_measured.controls["zero"]
        expected = probability(image, label, finding.class_pathway.mask)
        assert of_class.alone.probability == pytest.approx(expected, abs=1e-4)


def test_the_first_choices_are_the_most_probable_classes(findings):
    for finding in findings:
        logits, _ = numpy_forward(tiny_params(), finding.image.astype(np.float64))
        assert [label for label, _ in finding.top] == np.argsort(-logits).tolist()
        assert [p for _, p in finding.top] == pytest.approx(np.sort(softmax(logits))[::-1], abs=1e-4)


def test_other_pictures_are_those_of_the_reference_and_the_worst_are_shown_first(
    session, findings, reference
):
    for place, finding in enumerate(findings):
        label, mask = finding.explained, finding.mask
        measured = finding.assessment.measured.controls["zero"]
        shown = blanks_beside(finding.image[None], np.array([place]), session.target, seed=0)[0]
        blank = [probability(image, label, mask) for image in shown]
        assert measured.blank_pictures.probability == pytest.approx(np.mean(blank), abs=1e-4)
        others = reference.survey.records.predicted != label
        foreign = [probability(image, label, mask) for image in reference.pictures.images[others]]
        assert measured.other_pictures.runs == len(foreign) > 0
        assert measured.other_pictures.probability == pytest.approx(np.mean(foreign), abs=1e-4)
        assert finding.probabilities == pytest.approx(sorted(foreign)[::-1][:6], abs=1e-4)
        assert all(example.predicted != label for example in finding.examples)


def test_saliency_is_plain_first_and_through_the_pathway_second(findings):
    for finding in findings:
        assert finding.saliency.shape == (2, 4, 4)
        # What a closed channel alone sees has no influence: the maps differ unless all is open.
        assert not np.allclose(finding.saliency[0], finding.saliency[1])


def test_neighbours_are_ordered_by_overlap_and_leave_out_the_picture_itself(surveyed, pictures, reference):
    one = surveyed.take(np.array([3]))
    same, others = neighbours(one, reference.without(pictures.images[3]))
    names = [n.thumbnail.name for n in (*same, *others)]
    assert "3.png" not in names and len(names) == len(set(names))
    assert {n.thumbnail.predicted for n in same} <= {int(one.records.predicted[0])}
    assert int(one.records.predicted[0]) not in {n.thumbnail.predicted for n in others}
    masks = {name: mask for name, mask in zip(pictures.names, surveyed.records.masks, strict=True)}
    for group in (same, others):
        overlaps = [n.iou for n in group]
        assert overlaps == sorted(overlaps, reverse=True)
        for neighbour in group:
            mine, theirs = masks["3.png"], masks[neighbour.thumbnail.name]
            assert neighbour.iou == pytest.approx((mine & theirs).sum() / (mine | theirs).sum())


def test_without_a_reference_the_pictures_are_others_of_each_other_and_one_alone_has_blank_ones(
    session, pictures, surveyed
):
    (finding,) = find_images(session, pictures.take([5]), surveyed.take(np.array([5])))
    assert finding.assessment.measured.controls["zero"].other_pictures.runs == 0
    assert finding.assessment.measured.controls["zero"].blank_pictures.runs == 4
    assert finding.examples == finding.same == finding.others == ()
    assert finding.class_pathway is None and finding.assessment.class_measured is None
    assert all(channel.crops == () for channel in finding.channels)
    for finding in find_images(session, pictures, surveyed):
        others = (surveyed.records.predicted != finding.explained).sum()
        assert finding.assessment.measured.controls["zero"].other_pictures.runs == others
