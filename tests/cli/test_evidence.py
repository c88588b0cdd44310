"""What the commands say of a data set that speaks against its classifier, or lacks some of its classes."""

import json

import jax
import numpy as np
import pytest

from jaxpath import data, targets

NAMES = np.array([f"digit {c}" for c in range(10)])
RED = '<li class="bad"><strong>The classifier is no better than guessing</strong>'
ORDER = (np.arange(10) + 3) % 10
"""Classes in an order that is not the classifier's."""


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A ResNet-8 whose last layer alone has learned the digits, by least squares."""
    target, digits = targets.resnet8(image_size=8, channels=1), data.digits("train")
    params = target.init(jax.random.key(0))
    features = jax.jit(target.apply)(params, digits.images[:600]).features[target.sites[-1].name]
    pooled = np.asarray(features).mean(axis=(1, 2))
    middle = pooled.mean(axis=0)
    kernel, *_ = np.linalg.lstsq(pooled - middle, np.eye(10)[digits.labels[:600]] - 0.1, rcond=1e-4)
    kernel = 10 * kernel.astype(np.float32)
    params["params"]["linear"] = {"kernel": kernel, "bias": -(middle @ kernel)}
    path = tmp_path_factory.mktemp("classifier") / "weights.safetensors"
    targets.save_weights(target, params, path)
    return ["--weights", path, "--image-size", 8]


def write(path, *, order=range(10), classes=range(10)):
    """Sixty held-out digits of some classes, under labels in some order."""
    digits = data.digits("test")
    rows = np.flatnonzero(np.isin(digits.labels, list(classes)))[:60]
    labels = np.asarray(order)[digits.labels[rows]]
    np.savez(path, images=digits.images[rows], labels=labels, class_names=NAMES)
    return path


@pytest.fixture
def right(tmp_path):
    return write(tmp_path / "right.npz")


@pytest.fixture
def wrong(tmp_path):
    return write(tmp_path / "wrong.npz", order=ORDER)


def manifest_of(out):
    return json.loads((out / "manifest.json").read_text())


@pytest.mark.parametrize("command", ["dataset-report", "class-pathway", "dissect", "explain"])
def test_a_classifier_at_chance_is_said_in_red_on_the_page_the_terminal_and_in_the_manifest(
    run, classifier, right, wrong, tmp_path, command
):
    options = {
        "dissect": ["--sites", "000.relu", "--top-k", 6],
        "explain": ["--details", 1],
    }.get(command, [])
    for source, at_chance in ((wrong, True), (right, False)):
        out = tmp_path / f"out-{at_chance}"
        given = ["--reference", source] if command == "explain" else ["--data", source]
        pictures = [tmp_path / "picture.png"] if command == "explain" else []
        if pictures:
            from PIL import Image

            Image.fromarray(data.digits("test").images[0, ..., 0]).save(pictures[0])
        status, output, error = run(command, *pictures, *classifier, *given, "--out", out, *options)
        assert status == 0, error
        warnings = manifest_of(out)["warnings"]
        assert len(warnings) == at_chance
        said = [line for line in output.splitlines() if line.startswith("warning: ")]
        assert said == [f"warning: {warning}" for warning in warnings]
        assert all("60 labelled images" in one and "order of the classes" in one for one in warnings)
        for page in out.glob("*.html"):
            assert (RED in page.read_text()) == at_chance


def test_pictures_without_labels_say_nothing_of_the_classifier(run, classifier, tmp_path):
    from PIL import Image

    for number, image in enumerate(data.digits("test").images[:12, ..., 0]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    arguments = [tmp_path / "0.png", *classifier, "--reference", tmp_path, "--out", tmp_path / "out"]
    status, output, error = run("explain", *arguments)
    assert status == 0, error
    assert manifest_of(tmp_path / "out")["warnings"] == [] and "warning" not in output


@pytest.mark.parametrize("similarity", ["soft_wpmi", "wpmi", "cosine", "cosine_cubed", "jensen_shannon"])
def test_classes_without_pictures_name_no_channel_and_are_told(run, classifier, tmp_path, similarity):
    present = (1, 2, 4, 7, 9)
    source, out = write(tmp_path / "five.npz", classes=present), tmp_path / "out"
    arguments = ["--data", source, *classifier, "--similarity", similarity, "--out", out]
    arguments += ["--top-k", 6] if "wpmi" in similarity else []
    status, output, error = run("dissect", *arguments)
    assert status == 0, error
    absent = [f"digit {c}" for c in range(10) if c not in present]
    sentence = f"No channel is named after 5 classes of which there were no pictures: {', '.join(absent)}"
    assert sentence in output.splitlines()
    words = json.loads((out / "words.json").read_text())
    assert words.pop("left_out") == absent == manifest_of(out)["left_out_classes"]
    assert manifest_of(out)["concepts"] == 5
    named = [channel["word"] for by_channel in words.values() for channel in by_channel.values()]
    assert len(named) > 100 and set(named) <= {f"digit {c}" for c in present}
    with np.load(out / "dissection.npz") as arrays:
        assert arrays["concepts"].tolist() == [f"digit {c}" for c in present]

    arguments = ["--data", source, *classifier, "--words", out / "words.json", "--out", tmp_path / "classes"]
    status, _, error = run("class-pathway", *arguments)
    assert status == 0, error
    assert f"{sentence}." in (tmp_path / "classes" / "class_words.html").read_text()


def test_weights_that_make_logits_infinite_give_one_sentence_and_no_report(run, tmp_path, right):
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    kernel = params["params"]["linear"]["kernel"]
    params["params"]["linear"]["kernel"] = np.full(kernel.shape, 3e38, np.float32)  # their sums are infinite
    targets.save_weights(target, params, tmp_path / "w.safetensors")
    common = ["--weights", tmp_path / "w.safetensors", "--image-size", 8, "--out", tmp_path / "out"]
    status, _, error = run("dataset-report", "--data", right, *common)
    (line,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and f"logits of example 0 of {right}" in line and "not finite" in line
    assert list((tmp_path / "out").iterdir()) == []
