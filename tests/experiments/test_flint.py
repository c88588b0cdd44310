"""FLINT's runs on small data: what they measure, draw and leave behind, a second start, their refusals."""

import json

import jax
import numpy as np
import pytest
from figure_files import num_colours

from jaxpath import data, flint, runs, targets
from jaxpath.types import Preprocessing

KEYS = ["target_accuracy", "interpreter_accuracy", "fidelity", "flagged_share", "dead_attributes"]
KEYS += [f"cns_{tau}" for tau in ("1.5", "2", "2.5", "3", "4", "5")]
KEYS += ["pathway_keeps", "random_channels_keep", "num_images", "images_per_second"]
FIGURES = ["local_relevance.png", "global_relevance.png", "conciseness.png", "attribute_pathways.png"]
DIGITS = ["--data", "digits", "--batch-size", 64, "--learning-rate", 0.005, "--relevance-images", 256]
OPTIONS = runs.flint.FlintOptions(
    epochs=2, batch_size=16, attributes=5, learning_rate=1e-3, schedule="cosine", maximised_pairs=0
)


def results_of(out):
    results = json.loads((out / "results.json").read_text())
    assert set(KEYS) <= results.keys()
    return results


def figures_of(results):
    return {name: results[name] for name in KEYS if not name.endswith("per_second")}


def pictures_in(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


@pytest.fixture(scope="module")
def study():
    """An untrained ResNet-8 and random images of 16 x 16 pixels, ten classes, eight images held out."""
    target = targets.resnet8(image_size=16)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    train, held_out = data.split(data.ArraySource(pixels, np.arange(40) % 10), 0.2, 0)
    return runs.Study(target, target.init(jax.random.key(0)), train, held_out)


@pytest.fixture(scope="module")
def reported(study, tmp_path_factory):
    """An interpreter of it, trained and reported: ``(trained, evaluation, run)``."""
    run = runs.Run(tmp_path_factory.mktemp("flint"))
    recipe = runs.flint.post_hoc_recipe(study.target)
    trained = runs.flint.train_post_hoc(study.target, study.params, study.train, recipe, OPTIONS, run=run)
    return trained, runs.flint.report_interpreter(study, trained, OPTIONS, run=run), run


def test_attributes_of_a_frozen_classifier_are_scored_on_the_share_that_was_held_out(study, reported):
    trained, evaluation, run = reported
    results = results_of(run.out)
    assert (results["num_images"], results["num_attributes"]) == (8, 5)
    assert results["fidelity"] == evaluation.figures["fidelity"]
    assert trained.target_params is study.params
    assert trained.recipe.epochs == 2 and trained.fit.metrics
    interpreter, params = flint.load_interpreter(run.out / runs.flint.INTERPRETER, study.target)
    assert [site.name for site in interpreter.sites] == ["004.layer2.0.relu2", "006.layer3.0.relu2"]
    jax.tree.map(np.testing.assert_array_equal, params, jax.device_get(trained.params))
    attributes = np.load(run.out / "attributes.npz")
    np.testing.assert_array_equal(attributes["global_relevance"], evaluation.sample.relevance)
    held_out = np.stack([study.held_out[int(i)]["label"] for i in attributes["indices"]])
    np.testing.assert_array_equal(attributes["labels"], held_out)


def test_an_evaluation_repeats_itself_and_writes_nothing(study, reported):
    trained, evaluation, run = reported
    before = {path: path.stat().st_mtime_ns for path in run.out.rglob("*")}
    again = runs.flint.evaluate_interpreter(study, trained, OPTIONS, seed=run.seed)
    np.testing.assert_equal(again.figures, evaluation.figures)
    assert {path: path.stat().st_mtime_ns for path in run.out.rglob("*")} == before


def test_figures_show_what_was_measured(study, reported):
    trained, evaluation, run = reported
    figures = runs.flint.plot_interpreter(study, trained, evaluation)
    relevance = evaluation.sample.relevance
    known = relevance[np.isfinite(relevance).all(axis=1)]
    (matrix,) = (image for image in figures["global_relevance.png"].axes[0].images)
    np.testing.assert_allclose(matrix.get_array(), known)
    (line,) = figures["conciseness.png"].axes[0].lines
    assert list(line.get_ydata()) == [evaluation.figures[f"cns_{tau:g}"] for tau in line.get_xdata()]
    rows = runs.flint.decisions_to_show(evaluation.held_out)
    shown = pictures_in(figures["local_relevance.png"])
    assert len(shown) == len(rows)
    for picture, index in zip(shown, evaluation.held_out.indices[rows], strict=True):
        np.testing.assert_array_equal(picture, study.held_out[int(index)]["image"])
    for name in figures:
        assert num_colours(run.out / name) > 5, name


def test_a_pathway_of_an_attribute_opens_a_quarter_of_each_map_on_its_strongest_images(study, reported):
    trained, evaluation, _ = reported
    everybody_lives = evaluation.sample._replace(relevance=np.tile(np.arange(1.0, 6.0), (10, 1)))
    pathways = runs.flint.attribute_pathways(study, trained, everybody_lives)
    assert list(pathways.frequencies) == [4, 3, 2, 1, 0]  # by falling relevance
    for frequency in pathways.frequencies.values():
        assert {name: len(values) for name, values in frequency.items()} == {
            site.name: site.channels for site in trained.interpreter.sites
        }
        assert all(values.mean() == 0.25 for values in frequency.values())
    nobody = runs.flint.attribute_pathways(
        study, trained, everybody_lives._replace(relevance=np.zeros((10, 5)))
    )
    assert nobody.frequencies == {} and np.isnan(nobody.keeps)


def test_a_row_of_the_figure_shows_the_images_that_raise_an_attribute_and_pictures_made_from_them(
    study, reported
):
    trained, evaluation, _ = reported
    # Attribute 2 matters to one class that has three images or more; no other pair matters.
    label = int(np.bincount(evaluation.sample.interpretations.labels).argmax())
    relevance = np.zeros((10, 5))
    relevance[label, 2] = 0.5
    sample = evaluation.sample._replace(relevance=relevance)
    figure = runs.flint.plot_maximised(
        study,
        trained,
        evaluation._replace(sample=sample),
        most=3,
        maximisation=flint.CIFAR10_MAXIMISATION._replace(rounds=1, iterations=2),
    )
    shown = pictures_in(figure)
    of_class = np.flatnonzero(sample.interpretations.labels == label)
    strength = sample.interpretations.attributes[of_class, 2]
    expected = sample.images[of_class[np.argsort(-strength, kind="stable")][:3]]
    for picture, image in zip(shown[::2], expected, strict=True):
        np.testing.assert_array_equal(picture, image)
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in shown[1::2])
    sample = evaluation.sample._replace(relevance=np.zeros((10, 5)))
    assert runs.flint.plot_maximised(study, trained, evaluation._replace(sample=sample), most=3) is None


def test_one_decision_of_each_class_is_shown_and_two_that_are_flagged():
    predicted = np.array([1, 0, 1, 2, 2, 0])
    guessed = np.array([1, 1, 1, 0, 2, 1])  # three are flagged
    nothing = np.zeros(6, int)
    said = flint.Interpretations(np.arange(6), nothing, predicted, guessed, nothing == 0, np.zeros((6, 3)))
    assert runs.flint.decisions_to_show(said, most=12).tolist() == [0, 4, 1, 3]
    assert runs.flint.decisions_to_show(said, most=2).tolist() == [0, 4]


def test_colours_are_averaged_and_stretched_and_grey_images_left_alone():
    image = np.array([[[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]]])
    colours = Preprocessing(None, (1, 2), mean=(0.5,) * 3, std=(1.0,) * 3)
    np.testing.assert_allclose(runs.flint.as_pictures(image, colours), [[[[0.0], [1.0]]]])
    grey = Preprocessing(None, (1, 2), mean=(0.0,), std=(1.0,))
    np.testing.assert_allclose(runs.flint.as_pictures(image[..., :1] / 4, grey), [[[[0.0], [0.5]]]])


def test_options_replace_what_the_recipe_says_and_leave_terms_off_that_are_off():
    options = runs.flint.FlintOptions(epochs=3, attributes=7, entropy_weight=0.0, sparsity_weight=0.25)
    recipe = runs.flint.apply_options(flint.MNIST, options)
    assert (recipe.epochs, recipe.batch_size, recipe.interpreter["num_attributes"]) == (3, 16, 7)
    assert [recipe.stages[epoch].sparsity for epoch in (1, 2, 3, 5)] == [0.0, 0.0, 0.25, 0.25]
    assert recipe.stages[5].entropy == 0 and recipe.stages[5].output == flint.MNIST.stages[5].output
    assert runs.flint.apply_options(flint.MNIST, runs.flint.FlintOptions()) == flint.MNIST


def test_a_recipes_steps_are_rounded_down_and_a_restart_begins_with_its_epoch():
    source = data.ArraySource(np.zeros((44, 2, 2, 1), np.uint8), np.zeros(44, int))
    recipe = flint.MNIST._replace(epochs=1, batch_size=16)
    assert runs.flint.recipe_steps(recipe, source) == 2 and runs.steps_of(1, source, 16) == 3
    restarting = recipe._replace(epochs=3, learning_rate=1.0, restart=(2, 0.0))
    adam = runs.flint.make_optimizer(restarting, runs.flint.FlintOptions(), source)
    state, moves = adam.init(np.zeros(())), []
    for _ in range(5):  # the second epoch's first whole step is the fourth: 44 images are 2.75 steps
        move, state = adam.update(np.ones(()), state)
        moves.append(float(move))
    np.testing.assert_allclose(moves, [-1, -1, -1, 0, 0], atol=1e-4)


@pytest.fixture
def command(tmp_path, study):
    """A command line for that classifier and those images."""
    targets.save_weights(study.target, study.params, tmp_path / "resnet8.safetensors")
    pixels = np.stack([study.train[i]["image"] for i in range(len(study.train))])
    np.savez(tmp_path / "data.npz", images=pixels, labels=np.arange(len(pixels)) % 10)
    arguments = ["--model", "resnet8", "--weights", tmp_path / "resnet8.safetensors"]
    return [*arguments, "--data", tmp_path / "data.npz", "--batch-size", 16, "--out", tmp_path / "out"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--sites", "nowhere"], ["nowhere", "feature maps of resnet8"]),
        (["--eval-fraction", 2], ["--eval-fraction is 2", "between 0 and 1"]),
        (["--attributes", 0], ["--attributes is 0", "1 or more"]),
        (["--entropy-weight", -1], ["--entropy-weight is -1"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, command, changes, parts):
    status, error = start("flint_posthoc", *command, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1
    assert all(part in lines[0] for part in parts), lines[0]


def test_quickdraw_without_its_files_says_which_is_missing(start, tmp_path):
    status, error = start("flint_quickdraw", "--data", tmp_path, "--out", tmp_path / "out")
    assert status == 2 and "ant.npy" in error


def test_the_digits_that_are_scored_are_not_learned_from(start, tmp_path, monkeypatch):
    learned = []

    def stop(target, params, source, *args, **kwargs):
        learned.extend(source.images)
        raise SystemExit(0)

    monkeypatch.setattr("jaxpath.runs.flint.train_post_hoc", stop)
    target = targets.resnet8(image_size=8, channels=1)
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "w.safetensors")
    arguments = ["--data", "digits", "--eval-split", "test", "--weights", tmp_path / "w.safetensors"]
    status, error = start("flint_posthoc", *arguments, "--model", "resnet8", "--out", tmp_path / "out")
    assert status == 0, error
    scored = {image.tobytes() for image in data.digits("test").images}
    assert len(learned) == len(data.digits("train"))
    assert scored.isdisjoint(image.tobytes() for image in learned)


@pytest.mark.slow
def test_flint_learns_digits_and_leaves_files_that_repeat_its_figures(start, tmp_path):
    arguments = [*DIGITS, "--epochs", 7, "--out", tmp_path]
    status, error = start("flint_mnist", *arguments, "--maximised-pairs", 1)
    assert status == 0, error
    results = results_of(tmp_path)
    for name in (*FIGURES, "attributes.png"):
        assert num_colours(tmp_path / name) > 5, name
    assert results["target_accuracy"] > 0.9
    assert results["interpreter_accuracy"] > 0.85
    assert results["fidelity"] > 0.85 and results["flagged_share"] == pytest.approx(1 - results["fidelity"])
    assert 1 <= results["cns_1.5"] <= results["cns_5"] < 6

    target = targets.lenet(image_size=8)
    params = targets.load_weights(target, tmp_path / "weights.safetensors")
    interpreter, weights = flint.load_interpreter(tmp_path / "interpreter.safetensors", target)
    test = data.digits("test")
    clean = jax.jit(target.apply)(params, test.images)
    output = jax.jit(interpreter.apply)(weights, clean.features)
    agree = clean.logits.argmax(axis=1) == output.logits.argmax(axis=1)
    assert results["fidelity"] == pytest.approx(float(agree.mean()), abs=0.006)

    strongest = output.attributes[:4].argmax(axis=1)
    images = test.images[:4] / np.float32(255)
    options = flint.MNIST_MAXIMISATION._replace(rounds=1)
    raised = flint.maximise_attributes(target, interpreter, params, weights, images, strongest, options)

    def phi(images):
        features = target.apply(params, images).features
        return interpreter.apply(weights, features).attributes[np.arange(4), strongest]

    assert (phi(raised) > phi(options.dim * images)).all()

    status, error = start("flint_mnist", *arguments, "--maximised-pairs", 0)
    assert status == 0 and "continues after step" in error
    assert figures_of(results_of(tmp_path)) == figures_of(results)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flint_cifar10", "flint_quickdraw"])
def test_the_residual_networks_run_on_digits(run, tmp_path, name):
    status, error = run(name, *DIGITS, "--epochs", 0.1, "--maximised-pairs", 0, "--out", tmp_path)
    assert status == 0, error
    results_of(tmp_path)
