"""Where the score of a word stands among those of pictures in a random order."""

from functools import partial

import numpy as np
import pytest

from jaxpath import discover
from jaxpath.findings import flat_words, load_words
from jaxpath.types import InputError, Site

COUNT, CONCEPTS = 60, 4


def data(num_blind: int):
    """Two units that respond to the concepts 1 and 2, and others that respond to nothing that is shown."""
    rng = np.random.default_rng(0)
    shown = np.arange(COUNT) % CONCEPTS
    images = np.eye(CONCEPTS)[shown] + 0.1 * rng.normal(size=(COUNT, CONCEPTS))
    selective = np.stack([shown == 1, shown == 2], axis=1) + 0.1 * rng.random((COUNT, 2))
    acts = np.concatenate([selective, rng.random((COUNT, num_blind))], axis=1).astype(np.float32)
    return discover.make_cosines(images, np.eye(CONCEPTS)), acts


SIMILARITIES = {"soft_wpmi": partial(discover.soft_wpmi, top_k=10), "cosine": discover.cosine}


def places(similarity, cosines, acts, **options):
    index = np.asarray(similarity(cosines, acts, **options)).argmax(axis=1)
    return discover.place_among_chance(similarity, cosines, acts, index, permutations=19, **options)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_units_that_respond_to_a_concept_beat_every_order_and_blind_ones_are_spread(name):
    cosines, acts = data(100)
    chance = places(SIMILARITIES[name], cosines, acts)
    assert chance[:2].tolist() == [0.05, 0.05]
    blind = chance[2:]
    # A test at 5 % lets one in twenty pass that stands for nothing: 5 of 100, + 3 standard deviations.
    assert (blind <= 0.05).sum() <= 11 and 0.4 < blind.mean() < 0.8


def test_two_units_for_the_same_concept_do_not_take_it_from_each_other():
    cosines, acts = data(2)
    acts = np.concatenate([acts, acts[:, :2] + 0.01], axis=1)
    chance = places(SIMILARITIES["soft_wpmi"], cosines, acts)
    assert chance[[0, 1, 4, 5]].tolist() == [0.05] * 4


def test_the_place_is_that_of_scores_computed_order_by_order():
    cosines, acts = data(5)
    P = np.asarray(cosines.images, np.float64) @ np.asarray(cosines.texts, np.float64).T
    index = np.array([1, 2, 0, 1, 2, 3, 0])
    rng = np.random.default_rng(3)
    orders = [np.arange(COUNT), *(rng.permutation(COUNT) for _ in range(30))]
    columns = P / np.linalg.norm(P, axis=0)
    scores = np.stack([(acts[order] / np.linalg.norm(acts, axis=0)).T @ columns for order in orders])
    expected = []
    for unit, concept in enumerate(index):
        above = scores[:, unit] - scores[:, unit].mean(axis=0)
        expected.append((1 + sum(row.max() >= above[0, concept] for row in above[1:])) / 31)
    chance = discover.place_among_chance(discover.cosine, cosines, acts, index, permutations=30, seed=3)
    np.testing.assert_allclose(chance, expected)


def test_a_unit_that_responds_to_every_picture_alike_has_no_place_and_only_pictures_that_were_won_count():
    cosines, acts = data(2)
    acts[:, 3] = 0
    won = acts > 0.5
    chance = places(SIMILARITIES["soft_wpmi"], cosines, acts, won=won)
    assert chance[:2].tolist() == [0.05, 0.05] and np.isnan(chance[3])


def test_a_dissection_says_of_every_word_what_it_is_worth_and_which_come_next(tmp_path):
    cosines, acts = data(20)
    activity = discover.Activity(np.arange(COUNT), np.zeros(COUNT), {"000.a": acts}, {})
    embeddings = discover.Embeddings(np.asarray(cosines.images), np.eye(CONCEPTS), tuple("abcd"))
    names = discover.dissect(
        activity, embeddings, similarity=SIMILARITIES["cosine"], permutations=19, seed=1
    )["000.a"]
    assert names.words[:2] == ("b", "c") and names.by_chance[:2].tolist() == [False, False]
    assert (names.by_chance == (names.chance > 0.05)).all() and names.by_chance.sum() > 10
    scores = np.asarray(discover.cosine(cosines, acts))
    order = np.argsort(-scores, axis=1)
    np.testing.assert_array_equal(names.others, order[:, 1:])
    np.testing.assert_allclose(
        names.other_scores, np.take_along_axis(scores, order[:, 1:], axis=1), rtol=1e-5
    )
    plain = discover.dissect(activity, embeddings, similarity=SIMILARITIES["cosine"])["000.a"]
    assert plain.chance is None and not plain.by_chance.any()


def test_a_file_of_words_keeps_their_worth(tmp_path):
    names = discover.name_units(
        np.array([[3.0, 1.0, 2.0], [0.5, 0.25, 0.75]]), np.eye(2), ("fur", "wheel", "sky")
    )._replace(chance=np.array([0.05, 0.3]))
    discover.save_words({"000.a": names}, tmp_path / "words.json")
    sites = (Site("000.a", 2, None),)
    words = load_words(tmp_path / "words.json", sites)
    fur, sky = words["000.a"][0], words["000.a"][1]
    assert (fur, fur.score, fur.chance, fur.by_chance) == ("fur", 3.0, 0.05, False)
    assert fur.following == (("sky", 2.0), ("wheel", 1.0))
    assert (sky, sky.by_chance) == ("sky", True)
    # A word that chance gives as well names no pathway.
    assert flat_words(words, sites).tolist() == ["fur", ""]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('{"words": "fur"}', "has no 'word' but words"),
        ('{"word": "fur", "score": NaN}', "score is nan"),
        ('{"word": "fur", "chance": 1' + "0" * 400 + "}", "no words of channels"),
        ('{"word": "fur", "next": [["a"]]}', "no words of channels"),
    ],
)
def test_a_worth_that_is_none_is_one_clear_error(tmp_path, entry, message):
    (tmp_path / "words.json").write_text(f'{{"000.a": {{"0": {entry}}}}}')
    with pytest.raises(InputError, match=message):
        load_words(tmp_path / "words.json", (Site("000.a", 2, None),))
