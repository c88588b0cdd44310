"""Concepts and embeddings from files, and what is wrong with them."""

import jax
import numpy as np
import pytest

from jaxpath import discover
from jaxpath.types import InputError


def test_embeddings_come_back_from_their_file(tmp_path):
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(5, 4)).astype("f4"), rng.normal(size=(2, 4)).astype("f4")
    discover.save_embeddings(discover.Embeddings(images, texts, ("fur", "a wheel")), tmp_path / "e.npz")
    result = discover.load_embeddings(tmp_path / "e.npz")
    np.testing.assert_array_equal(result.images, images)
    np.testing.assert_array_equal(result.texts, texts)
    assert result.concepts == ("fur", "a wheel")


def test_the_concept_matrix_holds_cosines():
    P = discover.concept_matrix(np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(P, [[0.6], [0.0]], atol=1e-6)


def test_labels_are_embeddings_of_their_own():
    result = discover.label_embeddings(np.array([1, 0, 1]), ("cat", "dog"))
    np.testing.assert_array_equal(
        discover.concept_matrix(result.images, result.texts), [[0, 1], [1, 0], [0, 1]]
    )
    assert result.concepts == ("cat", "dog")


def test_classes_without_images_are_no_concepts_and_are_told():
    labels = np.array([4, 1, 1, 4, 2])
    result = discover.label_embeddings(labels, tuple("abcde"))
    assert result.concepts == ("b", "c", "e") and result.left_out == ("a", "d")
    cosines = discover.concept_matrix(result.images, result.texts)
    np.testing.assert_array_equal(cosines.argmax(axis=1), [2, 0, 0, 2, 1])
    np.testing.assert_array_equal(cosines.sum(axis=1), 1)


@pytest.mark.parametrize("similarity", discover.SIMILARITIES)
def test_no_unit_is_named_after_a_class_without_images(similarity):
    """Units that answer to one of three classes each, among ten of which seven have no image."""
    rng = np.random.default_rng(0)
    present = np.array([2, 5, 8])
    labels, own = present[np.arange(90) % 3], present[np.arange(12) % 3]
    acts = rng.random((90, 12)) + 2 * (labels[:, None] == own)
    activity = discover.Activity(np.arange(90), labels, {"000.a": acts.astype(np.float32)}, {})
    embeddings = discover.label_embeddings(labels, tuple("abcdefghij"))
    if similarity == "rank_reorder":  # takes the root of a mean cosine
        embeddings = embeddings._replace(images=embeddings.images + 0.2)
    top_k = 20 if "wpmi" in similarity else None
    bound = discover.bind(similarity, key=jax.random.key(0), top_k=top_k)
    names = discover.dissect(activity, embeddings, similarity=bound)["000.a"]
    if similarity == "rank_reorder":
        assert set(names.words) <= set("cfi") | {""}
    else:
        assert names.words == tuple("abcdefghij"[label] for label in own)


def test_blank_lines_are_no_concepts(tmp_path):
    (tmp_path / "words.txt").write_text("fur\n\n  a wheel  \n \nsky")
    assert discover.read_concepts(tmp_path / "words.txt") == ("fur", "a wheel", "sky")


def broken(tmp_path, **changes):
    arrays = {
        "image_embeddings": np.ones((3, 2)),
        "text_embeddings": np.ones((2, 2)),
        "concepts": np.array(["a", "b"]),
    }
    arrays |= changes
    np.savez(tmp_path / "e.npz", **{name: array for name, array in arrays.items() if array is not None})
    return discover.load_embeddings(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("attempt", "parts"),
    [
        (lambda at: discover.read_concepts(at / "no.txt"), ["no.txt", "one concept a line"]),
        (lambda at: discover.load_embeddings(at / "no.npz"), ["no.npz", "image_embeddings"]),
        (lambda at: broken(at, text_embeddings=None), ["text_embeddings", "expected"]),
        (lambda at: broken(at, concepts=np.array(["a", " "])), ["2 text embeddings", "1 concepts", "blank"]),
        (lambda at: broken(at, text_embeddings=np.ones((2, 5))), ["(1, 2)", "(2, 5)"]),
        (lambda at: broken(at, text_embeddings=np.zeros((2, 2))), ["text embeddings", "0"]),
        (lambda at: discover.label_embeddings(np.array([0, -1]), ("a",)), ["1 classes", "labels"]),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, attempt, parts):
    with pytest.raises(InputError) as error:
        attempt(tmp_path)
    assert all(part in str(error.value) for part in parts), error.value
