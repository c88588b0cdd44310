"""DISCOVER's runs on digits: what they measure and leave behind, and their refusals."""

import json

import jax
import numpy as np
import pytest

from jaxpath import InputError, data, discover, findings, runs, targets

KEYS = ("accuracy", "relu_accuracy", "active_share", "planted_top1", "outputs_top1", "purity")


@pytest.fixture(scope="module")
def digits():
    return data.Subset(data.digits("test"), np.arange(80))


@pytest.fixture(scope="module")
def pair():
    """A small network whose units compete, and its twin, both untrained."""
    nets = []
    for name in ("digit_cnn_lwta4", "digit_cnn"):
        target = targets.make_target(name, image_size=8)
        nets.append(runs.Net(target, target.init(jax.random.key(0))))
    return runs.discover.Pair(*nets)


@pytest.fixture(scope="module")
def reported(pair, digits, tmp_path_factory):
    run = runs.Run(tmp_path_factory.mktemp("discover"))
    return runs.discover.report_pair(pair, digits, run=run), run.out


def test_both_networks_are_scored_and_figures_repeat_those_of_each(pair, digits, reported):
    evaluation, out = reported
    figures = evaluation.figures
    images = np.stack([digits[i]["image"] for i in range(len(digits))])
    labels = np.array([digits[i]["label"] for i in range(len(digits))])
    for (target, params, *_), name in zip(pair, ("competing", "rectified"), strict=True):
        logits = jax.jit(target.apply)(params, images).logits
        by_draws = getattr(evaluation, name).figures["accuracy_by_draws"]
        assert by_draws[0] == pytest.approx(np.mean(np.asarray(logits).argmax(axis=1) == labels))
    assert list(evaluation.rectified.figures["accuracy_by_draws"]) == [0]
    assert figures["accuracy"] == figures["accuracy_by_draws"][6]
    assert figures["relu_purity"] == evaluation.rectified.figures["purity"]
    assert figures["active_share"] == pytest.approx(0.25, abs=1e-6) and figures["planted_top1"] >= 0.99
    results = json.loads((out / "results.json").read_text())
    assert set(KEYS) <= results.keys() and results["accuracy"] == figures["accuracy"]


def test_images_are_described_by_the_winners_of_their_draw(digits, reported):
    evaluation, out = reported
    assert evaluation.rectified.descriptions == []
    descriptions = json.loads((out / "descriptions.json").read_text())
    assert [one["image"] for one in descriptions] == [digits.name(row) for row in range(20)]
    for one in descriptions:
        words, values = zip(*one["units"], strict=True)
        assert len(values) == 128 // 4 and 0 not in values and list(values) == sorted(values, reverse=True)
        assert set(words) <= {*digits.class_names, ""}


def test_words_are_read_by_the_findings_and_an_evaluation_repeats_itself(pair, digits, reported):
    evaluation, out = reported
    words = findings.load_words(out / "words.json", pair.competing.target.sites)
    assert set(words) == {site.name for site in pair.competing.target.sites}
    again = runs.discover.evaluate_units(pair.competing, digits)
    np.testing.assert_equal(again.figures, evaluation.competing.figures)
    assert again.descriptions == evaluation.competing.descriptions


def test_units_are_named_after_the_concepts_of_embeddings_and_scored_by_classes(pair, digits, reported):
    rng = np.random.default_rng(0)
    embeddings = discover.Embeddings(rng.normal(size=(80, 5)), rng.normal(size=(4, 5)), tuple("abcd"))
    units = runs.discover.evaluate_units(pair.rectified, digits, embeddings=embeddings)
    assert {word for names in units.names.values() for word in names.words} <= {*"abcd", ""}
    np.testing.assert_equal(units.figures, reported[0].rectified.figures)


def test_the_twins_steps_follow_from_the_epochs_and_its_folder_from_the_options(monkeypatch, tmp_path):
    trained = []

    def train_classifier(target, source, classifier, *, run):
        trained.append((target.name, classifier.train_steps, run.out, run.config))
        return {}

    monkeypatch.setattr("jaxpath.runs.discover.training.train_classifier", train_classifier)
    config = {"data": "digits", "comparison": {"competitors": 4}}
    run = runs.Run(tmp_path / "out", config=config)
    options = runs.discover.PairOptions("digit_cnn", epochs=2, twin=tmp_path / "shared")
    classifier = runs.ClassifierOptions(train_batch_size=64)
    source = data.digits("train")
    pair = runs.discover.train_pair(source, options, classifier, run=run)
    (first, steps, out, _), (second, also, twin, shared) = trained
    assert (first, second) == ("digit_cnn_lwta4", "digit_cnn")
    assert steps == also == round(2 * len(source) / 64)
    assert (out, twin) == (tmp_path / "out", tmp_path / "shared")
    assert shared["data"] == "digits" and "comparison" not in shared
    assert pair.competing.target.name == "digit_cnn_lwta4"


def test_a_label_of_another_class_is_refused_before_training(tmp_path):
    train = data.digits("train")
    held_out = data.ArraySource(train.images[:4], np.array([0, 1, 2, 10]))
    options = runs.discover.PairOptions("digit_cnn")
    with pytest.raises(InputError, match="10"):
        runs.discover.compare_pair(
            train, held_out, options, runs.ClassifierOptions(), run=runs.Run(tmp_path / "out")
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--competitors", 3], ["16 units", "blocks of 3"]),
        (["--competitors", 1], ["--competitors is 1", "2 or more"]),
        (["--model", "vgg11"], ["vgg11_lwta4"]),
        (["--embeddings", "no.npz"], ["no.npz", "image_embeddings"]),
        (["--competition-weight", -1], ["--competition-weight is -1"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, tmp_path, changes, parts):
    status, error = start("discover_digits", "--data", "digits", "--out", tmp_path, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1
    assert all(part in lines[0] for part in parts), lines[0]


@pytest.mark.slow
def test_competing_units_and_their_twin_are_trained_measured_and_described(start, tmp_path):
    arguments = ["--data", "digits", "--train-steps", 120, "--train-batch-size", 64, "--out", tmp_path]
    arguments += ["--epochs", "None", "--competitors", 4, "--train-learning-rate", 0.01]
    status, error = start("discover_digits", *arguments)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["active_share"] == pytest.approx(0.25, abs=1e-6)
    assert results["relu_active_share"] > 0.25
    assert results["planted_top1"] >= 0.99
    assert results["accuracy"] == results["accuracy_by_draws"]["6"] > 0.5 < results["relu_accuracy"]
    assert set(results["accuracy_by_draws"]) == {"0", "1", "3", "6"}
    assert results["zero_winners"] == 0
    assert results["negative_winners"] == pytest.approx(results["wrong_by_largest_value"])
    for name, folder in (("digit_cnn_lwta4", tmp_path), ("digit_cnn", tmp_path / "twin")):
        targets.load_weights(targets.make_target(name, image_size=8), folder / "weights.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("discover_cifar10", ["--model", "resnet8", "--eval-split", "test"]),
        ("discover_imagenet", ["--model", "deit_tiny", "--image-size", 32]),
    ],
)
def test_the_larger_networks_run_and_take_embeddings(start, tmp_path, name, options):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    arrays = {"images": pixels, "labels": np.arange(40) % 10}
    np.savez(tmp_path / "one.npz", **arrays)
    splits = {f"{split}_{part}": values for split in ("train", "test") for part, values in arrays.items()}
    np.savez(tmp_path / "two.npz", **splits)
    rng = np.random.default_rng(0)
    embeddings = discover.Embeddings(rng.normal(size=(40, 5)), rng.normal(size=(4, 5)), tuple("abcd"))
    discover.save_embeddings(embeddings, tmp_path / "e.npz")
    # Photographs can be scored in a file of their own.
    files = ["--data", tmp_path / "two.npz"]
    if name == "discover_imagenet":
        files = ["--data", tmp_path / "one.npz", "--eval-data", tmp_path / "one.npz"]
    arguments = [*files, "--embeddings", tmp_path / "e.npz", *options]
    arguments += ["--epochs", 0.4, "--train-batch-size", 8, "--competitors", 4, "--out", tmp_path / "out"]
    status, error = start(name, *arguments)
    assert status == 0, error
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(KEYS) <= results.keys() and results["active_share"] == pytest.approx(0.25, abs=1e-6)
    words = json.loads((tmp_path / "out" / "words.json").read_text())
    assert {entry["word"] for site in words.values() for entry in site.values()} <= set("abcd")


def test_results_of_networks_that_are_at_chance_warn_and_name_both(reported):
    _, out = reported
    first, second = json.loads((out / "results.json").read_text())["warnings"]
    assert first.startswith("digit_cnn_lwta4 is no better than guessing")
    assert second.startswith("digit_cnn is no better than guessing")


def test_units_of_a_part_of_the_classes_are_named_after_these_and_scored_on_these(pair, tmp_path):
    digits = data.digits("test")
    present = (1, 4, 6)
    part = data.Subset(digits, np.flatnonzero(np.isin(digits.labels, present))[:60])
    evaluation = runs.discover.report_pair(pair, part, run=runs.Run(tmp_path))
    absent = [name for label, name in enumerate(digits.class_names) if label not in present]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["left_out_classes"] == absent
    names = evaluation.competing.names[discover.OUTPUTS]
    assert names.concepts == tuple(digits.class_names[label] for label in present)
    right = [names.valid[label] and names.words[label] == digits.class_names[label] for label in present]
    assert results["outputs_top1"] == pytest.approx(np.mean(right))
    assert findings.load_left_out(tmp_path / "words.json") == tuple(absent)


@pytest.mark.slow
def test_the_plain_command_gives_a_result_worth_reading(start, tmp_path):
    status, error = start("discover_digits", "--out", tmp_path)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["warnings"] == [] and results["num_images"] == 359
    assert results["accuracy"] > 0.93 < results["relu_accuracy"]
    assert results["outputs_top1"] == 1


def test_words_stand_where_the_trunk_puts_the_pictures_of_their_classes(start, tmp_path):
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    targets.save_weights(target, params, tmp_path / "resnet8.safetensors")
    (tmp_path / "words.json").write_text('{"round": ["0", "8"]}')
    arguments = ["--model", "resnet8", "--weights", tmp_path / "resnet8.safetensors", "--data", "digits"]
    arguments += ["--train-split", "train", "--eval-split", "test", "--out", tmp_path / "out"]
    status, error = start("stand_in_embeddings", *arguments, "--words", tmp_path / "words.json")
    assert status == 0, error
    found = discover.load_embeddings(tmp_path / "out" / "embeddings.npz")
    assert found.concepts == (*"0123456789", "round")

    # By hand: the mean of the last map over space, less its mean over the training images, of length 1.
    def directions(source, center=None):
        images = np.stack([source[i]["image"] for i in range(len(source))])
        means = np.asarray(target.apply(params, images).features[target.sites[-1].name]).mean(axis=(1, 2))
        center = means.mean(axis=0) if center is None else center
        return (means - center) / np.linalg.norm(means - center, axis=1, keepdims=True), center

    learned, center = directions(data.digits("train"))
    scored, _ = directions(data.digits("test"), center)
    np.testing.assert_allclose(found.images, scored, atol=1e-4)
    eights, noughts = (learned[data.digits("train").labels == digit].mean(axis=0) for digit in (8, 0))
    expected = (eights + noughts) / np.linalg.norm(eights + noughts)
    np.testing.assert_allclose(found.texts[-1], expected, atol=1e-4)

    (tmp_path / "words.json").write_text('["round"]')
    status, error = start("stand_in_embeddings", *arguments, "--words", tmp_path / "words.json")
    assert status == 2 and "holds no lists of class names by words" in error
