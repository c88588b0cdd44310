"""LAP's runs on small canvases: what they measure, draw and leave behind, and their refusals."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxpath import InputError, data, lap, runs, targets

KEYS = {"accuracy", "plain_accuracy", "pointing_game", "energy_in_mask", "best_explainer_energy_in_mask"}
SCORES = {"insertion_blur", "deletion_mean", "aopc_mean", "kept"}
FEW = ["--explainers", "gradcam"]
CANVASES = ["--train-canvases", 64, "--test-canvases", 16, "--epochs", 1, "--batch-size", 32]
GRADCAM = runs.lap.ScoreOptions(explainers=("gradcam",), curve_images=0, score_batch_size=2)


@pytest.fixture(scope="module")
def canvases():
    """Sixteen digits, each alone on a canvas."""
    clutter = data.Clutter(size=16, pieces=0, piece=4)
    return data.cluttered(data.digits("test"), 16, clutter=clutter, seed=0)


@pytest.fixture(scope="module")
def nets(canvases):
    """An untrained net for these canvases, and one whose pools attend."""
    plain, extended = runs.lap.make_nets(canvases, runs.lap.LapOptions())
    return tuple(runs.Net(target, target.init(jax.random.key(0))) for target in (plain, extended))


def brightness(params, images, labels, *, key):
    return images.mean(axis=-1)


def outside(params, images, labels, *, key):
    return -brightness(params, images, labels, key=key)


def test_a_map_of_the_only_thing_on_a_canvas_points_at_its_box(canvases, nets):
    scores = runs.lap.score_explanation(runs.lap.Explained(nets[0], brightness), canvases, GRADCAM)
    assert scores["pointing_game"] == 1
    assert scores["energy_in_mask"] > 0.99  # faint pixels are no ink
    wrong = runs.lap.score_explanation(runs.lap.Explained(nets[0], outside), canvases, GRADCAM)
    assert wrong["average_precision"] < scores["average_precision"]


def test_all_pixels_keep_every_class_and_shown_pixels_are_those_not_yet_hidden(canvases, nets):
    options = runs.lap.ScoreOptions(curve_images=6, curve_steps=2, kept_share=1.0, score_batch_size=1)
    pictures = data.ArraySource(canvases.images, canvases.labels)  # no boxes, so no localisation
    scores = runs.lap.score_explanation(runs.lap.Explained(nets[0], brightness), pictures, options)
    assert "pointing_game" not in scores and scores["kept"] == 1
    turned = runs.lap.score_explanation(runs.lap.Explained(nets[0], outside), pictures, options)
    # What the one shows first the other hides last, but for the order of pixels that tie.
    assert scores.keys() == turned.keys() and scores.keys() >= SCORES
    for name in ("blur", "mean"):
        assert scores[f"morf_lerf_{name}"] == pytest.approx(-turned[f"morf_lerf_{name}"], abs=0.02)


def test_every_explanation_of_both_nets_is_scored_and_nothing_is_written(
    canvases, nets, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    figures = runs.lap.evaluate_lap(*nets, canvases, GRADCAM)
    for name, (target, params, *_) in zip(("plain_accuracy", "accuracy"), nets, strict=True):
        predicted = jax.jit(target.apply)(params, canvases.images).logits.argmax(axis=1)
        assert figures[name] == np.mean(np.asarray(predicted) == canvases.labels)
    rows = figures["explanations"]
    names = {"lap", "lap/product", "lap/lap0_pool2", "lap/lap1_avgpool", "plain/gradcam", "on_lap/gradcam"}
    assert set(rows) == names
    assert figures["energy_in_mask"] == rows["lap"]["energy_in_mask"]
    assert figures["best_explainer_pointing_game"] == rows["plain/gradcam"]["pointing_game"]
    assert list(tmp_path.iterdir()) == []


def test_the_attention_of_all_sites_is_the_product_of_single_ones(canvases, nets):
    rows = runs.lap.explanations(*nets, GRADCAM)
    images, labels = jnp.asarray(canvases.images[:3]), jnp.asarray(canvases.labels[:3])
    maps = {
        name: np.asarray(jax.jit(row.attribute)(nets[1].params, images, labels, key=jax.random.key(0)))
        for name, row in rows.items()
        if name.startswith("lap")
    }
    single = [maps[f"lap/{site}"] for site in runs.lap.attending_sites(nets[1].target)]
    np.testing.assert_allclose(maps["lap/product"], np.prod(single, axis=0), rtol=1e-4)
    np.testing.assert_allclose(maps["lap"] ** len(single), maps["lap/product"], rtol=1e-4)


def test_the_figure_shows_the_drawn_canvases_with_their_boxes_under_every_map(canvases, nets):
    figure = runs.lap.plot_explanations(*nets, canvases, seed=3)
    part = data.draw(canvases, 6, seed=3)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:6]]
    assert titles[1:] == ["pool2", "avgpool", "combined", "plain: gradcam", "plain: lrp_composite"]
    assert len(figure.axes) == 6 * 6
    for axes, index in zip(figure.axes[::6], part.indices, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), canvases.images[index, ..., 0])
        top, left, bottom, right = canvases.boxes[index]
        box = axes.patches[0]
        assert (box.get_width(), box.get_height()) == (right - left, bottom - top)


def test_a_stage_of_no_epochs_is_left_out():
    stages = runs.lap.PlugInOptions(head_epochs=2, tune_epochs=0).stages()
    assert [(stage.trainable, stage.epochs) for stage in stages] == [("heads", 2)]
    sharp = runs.lap.PlugInOptions(head_classification_weight=0.5).stages()
    assert [(stage.trainable, stage.classify) for stage in sharp] == [("sharp_heads", 0.5)]
    both = runs.lap.PlugInOptions(tune_epochs=1, tune_rate=0.5).stages()
    assert [stage.learning_rate for stage in both] == [1e-3, 0.5]


def test_weights_are_named_as_the_terms_of_the_objective():
    weights = runs.lap.LossOptions(area_weight=7.0).as_weights()
    assert weights.area == 7 and weights._replace(area=0.5) == lap.LapWeights(region=1.0, annotation=1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (runs.lap.LapOptions(knowledge_share=1.5), "--knowledge-share is 1.5"),
        (runs.lap.LapOptions(epochs=0), "--epochs is 0"),
        (runs.lap.ScoreOptions(curve_steps=0), "--curve-steps is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_trained(options, words):
    with pytest.raises(InputError, match=words):
        options.check()


@pytest.fixture
def classifier(tmp_path):
    """Weights of an untrained ResNet-8, and colour images of ten classes."""
    target = targets.resnet8()
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "resnet8.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(40) % 10
    arrays = {"train_images": pixels[:32], "train_labels": labels[:32]}
    np.savez(tmp_path / "data.npz", **arrays, test_images=pixels[32:], test_labels=labels[32:])
    arguments = ["--model", "resnet8", "--weights", tmp_path / "resnet8.safetensors"]
    return [*arguments, "--data", tmp_path / "data.npz", "--out", tmp_path / "out"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--eval-fraction", 2], ["--eval-fraction is 2"]),
        (["--explainers", "grad"], ["grad", "gradcam"]),
        (["--sites", "layer9"], ["layer9", "layer2, layer3, avgpool"]),
        (["--kept-share", 0], ["--kept-share"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, classifier, changes, parts):
    status, error = start("lap_imagenet", *classifier, "--eval-fraction", 0.5, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1, error
    assert all(part in lines[0] for part in parts), lines[0]


def test_a_network_without_pools_that_attend_is_refused():
    with pytest.raises(InputError, match=r"lenet has no pooling .* expected a ResNet or a VGG"):
        runs.lap.extend_model("lenet")
    with pytest.raises(InputError, match="resnet9 has no pooling"):
        runs.lap.extend_model("resnet9")


@pytest.mark.slow
def test_digits_on_canvases_are_scored_by_every_explanation(start, tmp_path):
    arguments = [*CANVASES, *FEW, "--curve-images", 0, "--knowledge-share", 0.1, "--score-batch-size", 2]
    status, error = start("lap_digits", *arguments, "--out", tmp_path)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results.keys() >= KEYS and results["known_boxes"] == 6
    rows = results["explanations"]
    # The product is a power of the mean, so that both put the pixels in one order.
    for score in ("pointing_game", "average_precision", "best_iou"):
        assert rows["lap/product"][score] == pytest.approx(rows["lap"][score], abs=5e-3), score
    assert all(row.keys() >= {"pointing_game", "average_precision"} for row in rows.values())
    assert 0 < results["energy_in_mask"] < 1
    # Six rows of a canvas, two levels, both together and two explainers: colours as well as greys.
    picture = np.asarray(Image.open(tmp_path / "maps.png").convert("RGB"), np.int16)
    assert (np.ptp(picture, axis=-1) > 50).mean() > 0.05
    target = lap.extend(
        lap.canvas_net, sites=["pool2", "avgpool"], image_size=40, channels=1, alpha=2.0, gate=None
    )
    params = targets.load_weights(target, tmp_path / "lap.safetensors")
    assert params["params"]["lap0_pool2"]["theta"].shape == (10,)


@pytest.mark.slow
def test_heads_learn_and_the_classifier_stays_as_it_was(start, tmp_path, classifier):
    options = ["--head-epochs", 1, "--batch-size", 16, "--score-batch-size", 1]
    options += ["--curve-images", 8, "--curve-steps", 4]
    status, error = start("lap_cifar10", *classifier, *options, *FEW)
    assert status == 0, error
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results.keys() >= {"accuracy", "plain_accuracy"} and "pointing_game" not in results
    assert all(row.keys() >= SCORES for row in results["explanations"].values())
    target = lap.extend(targets.resnet8)
    after = targets.load_weights(target, tmp_path / "out" / "lap.safetensors")
    before = targets.load_weights(targets.resnet8(), tmp_path / "resnet8.safetensors")
    for name in ("conv1", "linear"):
        np.testing.assert_array_equal(after["params"][name]["kernel"], before["params"][name]["kernel"])
    moved = after["params"]["lap2_avgpool"]["head"]["scores"]["bias"]
    assert np.abs(moved + 2).max() > 1e-4
    assert after["params"]["lap0_layer2"]["gate"] == -6
