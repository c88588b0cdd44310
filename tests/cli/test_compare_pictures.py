"""Two pictures, and two classifiers on one picture, on one page."""

import json

import jax
import pytest

from jaxpath import targets


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.safetensors"
    target = targets.resnet8(image_size=8, channels=1)
    targets.save_weights(target, target.init(jax.random.key(5)), path)
    return path


def test_two_pictures_stand_side_by_side(run, weights, pictures, tmp_path):
    command = ("compare-pictures", pictures / "b.png", pictures / "c.png", "--weights", weights)
    status, output, error = run(*command, "--ablation", "zero", "--out", tmp_path)
    assert status == 0, error
    page = (tmp_path / "side_by_side.html").read_text()
    assert "Two pictures side by side" in page and "The strongest channels that both open" in page
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["file"] for row in results["pictures"]] == [
        str(pictures / name) for name in ("b.png", "c.png")
    ]
    assert f"both open {results['summary']['iou']:.2f} of the channels" in output
    assert f"{results['summary']['iou']:.2f} (IoU)" in page
    for row in results["pictures"]:
        assert row["sentence"] in output


def test_two_classifiers_say_what_each_concludes_of_one_picture(run, weights, other, pictures, tmp_path):
    for name, words in (("first", ["edge"] * 8 + ["dot"] * 8), ("second", ["edge"] * 16)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"000.relu": words}))
    named = ("--words", tmp_path / "first.json", "--words2", tmp_path / "second.json")
    command = ("compare-pictures", pictures / "b.png", "--weights", weights, "--weights2", other, *named)
    status, _, error = run(*command, "--ablation", "zero", "--out", tmp_path / "out")
    assert status == 0, error
    page = (tmp_path / "out" / "side_by_side.html").read_text()
    assert "Two classifiers side by side" in page and "What the pathways share" not in page
    assert "<h2>In words</h2>" in page
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    hashes = [one["weights_sha256"] for one in results["classifiers"]]
    assert (
        hashes == [targets.weights_hash(path) for path in (weights, other)] and len(results["pictures"]) == 2
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "1 pictures were given; expected two pictures"),
        (("--model2", "resnet8"), "two pictures"),
        (("--weights2", "nowhere.safetensors"), "nowhere.safetensors"),
        (("c.png", "--words2", "words.json"), "--words2 was given without --weights2"),
    ],
)
def test_what_is_not_two_of_anything_is_refused(run, weights, pictures, tmp_path, more, said):
    more = [pictures / word if word.endswith(".png") else word for word in more]
    status, _, error = run(
        "compare-pictures", pictures / "b.png", *more, "--weights", weights, "--out", tmp_path
    )
    assert status == 2 and said in error
