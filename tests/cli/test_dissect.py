"""jaxpath dissect, and its words in class pathways."""

import json

import numpy as np
import pytest

from jaxpath import discover, findings, targets


@pytest.fixture
def common(weights):
    return ["--weights", weights, "--image-size", 8]


def test_words_of_a_data_set_go_into_class_pathways(run, common, many, tmp_path):
    words = tmp_path / "words"
    site = "006.layer3.0.relu2"
    status, output, error = run(
        "dissect", "--data", many, *common, "--out", words, "--top-k", 4, "--sites", site, "000.relu"
    )
    assert status == 0, error
    assert f"words: {words / 'words.json'}" in output and f"{site}: " in output
    result = findings.load_words(words / "words.json", targets.resnet8(image_size=8, channels=1).sites)
    assert set(result) == {site, "000.relu"}
    assert {word for by_channel in result.values() for word in by_channel.values()} <= {
        f"<b>{c}</b>" for c in range(10)
    }
    with np.load(words / "dissection.npz") as arrays:
        index, concepts = arrays[f"{site}.index"], arrays["concepts"]
        assert arrays[f"{site}.valid"].all()
        assert result[site] == {c: str(concepts[index[c]]) for c in range(64)}
    manifest = json.loads((words / "manifest.json").read_text())
    assert manifest["similarity"] == "soft_wpmi" and manifest["images"] == 40

    classes = tmp_path / "classes"
    arguments = ["--data", many, *common, "--out", classes, "--words", words / "words.json"]
    status, output, error = run("class-pathway", *arguments)
    assert status == 0, error
    assert "open in \N{LEFT DOUBLE QUOTATION MARK}<b>" in output
    page = (classes / "class_words.html").read_text()
    assert "<b>1" not in page and "&lt;b&gt;" in page and "Class pathways in words" in page
    described = json.loads((classes / "class_words.json").read_text())
    assert all(share["num_open"] <= share["num_channels"] for one in described for share in one["words"])
    assert len(described) == page.count("<section")


def test_embeddings_of_anybody_name_channels(run, common, many, tmp_path):
    rng = np.random.default_rng(0)
    embeddings = discover.Embeddings(rng.normal(size=(40, 5)), rng.normal(size=(3, 5)), ("x", "y", "z"))
    discover.save_embeddings(embeddings, tmp_path / "e.npz")
    arguments = ["--data", many, *common, "--sites", "000.relu", "--embeddings", tmp_path / "e.npz"]
    arguments += ["--images", 20, "--similarity", "cosine", "--reduce", "max", "--out", tmp_path / "out"]
    status, output, error = run("dissect", *arguments)
    assert status == 0, error
    words = json.loads((tmp_path / "out" / "words.json").read_text())["000.relu"]
    assert len(words) == 16 and {entry["word"] for entry in words.values()} <= {"x", "y", "z"}
    assert all(0.05 <= entry["chance"] <= 1 and len(entry["next"]) == 2 for entry in words.values())
    by_chance = sum(entry["chance"] > 0.05 for entry in words.values())
    assert (
        f"000.relu: {16 - by_chance} of 16 have a name, {by_chance} one that chance gives as well" in output
    )


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--similarity", "jaccard"], ["'jaccard'", "soft_wpmi"]),
        (["--similarity", "cosine", "--top-k", 3], ["cosine has no option top_k"]),
        (["--top-k", 0], ["--top-k is 0"]),
        (["--permutations", 5], ["--permutations is 5", "19 or more"]),
        (["--sampled"], ["--sampled", "do not compete"]),
        (["--embeddings", "no.npz"], ["no.npz"]),
        (["--embeddings", "no.npz", "--concepts", "no.txt"], ["both given"]),
        (["--concepts", "no.txt"], ["no.txt", "one concept a line"]),
    ],
)
def test_a_wrong_option_is_one_sentence(run, common, many, tmp_path, options, parts):
    arguments = ["--data", many, *common, "--sites", "000.relu", "--out", tmp_path / "out"]
    status, _, error = run("dissect", *arguments, *options)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1
    assert all(part in lines[0] for part in parts), lines[0]


def test_embeddings_of_another_data_set_are_refused(run, common, many, tmp_path):
    embeddings = discover.Embeddings(np.eye(5), np.eye(5), tuple("abcde"))
    discover.save_embeddings(embeddings, tmp_path / "e.npz")
    arguments = ["--data", many, *common, "--embeddings", tmp_path / "e.npz", "--out", tmp_path / "out"]
    status, _, error = run("dissect", *arguments)
    assert status == 2 and "embeddings of 5 images" in error and "has 40" in error


def test_units_that_compete_are_named_by_draws(run, tmp_path, many, key):
    target = targets.make_target("digit_cnn_lwta4", image_size=8)
    targets.save_weights(target, target.init(key), tmp_path / "w.safetensors")
    arguments = ["--data", many, "--weights", tmp_path / "w.safetensors", "--image-size", 8, "--top-k", 4]
    arguments += ["--sites", target.sites[-1].name, "--sampled", "--winners-only", "--out", tmp_path / "out"]
    status, _, error = run("dissect", *arguments)
    assert status == 0, error
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["model"] == "digit_cnn_lwta4" and manifest["concepts"] == 10
