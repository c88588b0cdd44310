"""The comparison of two architectures on digits: what it writes, what it keeps, and right figures."""

import json

import jax
import numpy as np
import pytest
from figure_files import series_in
from PIL import Image
from scipy import stats

from jaxpath import data, explainers, gencnp, metrics, targets
from jaxpath.runs.architectures import ArchitectureComparison, compare_saliency, models
from jaxpath.targets import registry
from jaxpath.targets.resnet import BasicBlock, ResNet

TINY = ["--data", "digits", "--images", 40, "--train-steps", 2, "--train-batch-size", 16, "--batch-size", 16]
TINY += ["--steps", 2, "--width", 8, "--class-pathway-images", 32]


@pytest.fixture
def small(monkeypatch):
    """A second architecture by the name of "small", which compiles faster than any that is published."""

    def make_small(*, num_classes, channels, image_size, dtype="float32"):
        compute = targets.compute_dtype(dtype)
        module = ResNet(BasicBlock, (1,), num_classes, width=8, head="linear", dtype=compute)
        preprocessing = targets.make_preprocessing(image_size, channels)
        return targets.from_linen(module, name="small", num_classes=num_classes, preprocessing=preprocessing)

    family = targets.Family({"small": make_small}, lambda shapes: None, first="conv1", last="linear")
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, family))


def results_in(folder):
    return json.loads((folder / "results.json").read_text())


def digits_target(name):
    return targets.make_target(name, image_size=8, channels=1, num_classes=10)


@pytest.mark.slow
def test_two_models_are_trained_compared_and_used_again_by_a_second_start(start, small, tmp_path):
    arguments = [*TINY, "--models", "small", "small", "--out", tmp_path]
    status, error = start("compare_architectures", *arguments)
    assert status == 0, error
    results = results_in(tmp_path)
    assert list(results["models"]) == ["small-1", "small-2"]
    for name, figures in results["models"].items():
        assert len(figures["density_over_depth"]["mean"]) == 21, name
        assert np.shape(figures["iou_matrix"]) == (10, 10)
        assert {"fidelity", "leakage", "transfer", "blank_saliency"} <= figures.keys()
        pathways = np.load(tmp_path / name / "pathways.npz")
        assert pathways["masks"].mean() == pytest.approx(figures["density"], abs=1e-6)
    assert results["num_images"] == 40
    # One colour for each of the two.
    assert {0, 1} <= set(series_in(tmp_path / "architectures.png"))

    # Each model's files load as any other run's.
    target = digits_target("small")
    for name in results["models"]:
        params = targets.load_weights(target, tmp_path / name / "target" / "weights.safetensors")
        gencnp.load_generator(tmp_path / name / "generator.safetensors", target, params=params)

    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.safetensors")}
    assert len(kept) == 4
    # How images are explained is no part of how the models were trained.
    status, error = start("compare_architectures", *arguments, "--density", 0.5)
    assert status == 0, error
    assert error.count("continues after step 2") == 4
    assert {path: path.read_bytes() for path in kept} == kept
    again = results_in(tmp_path)["models"]
    for name, figures in results["models"].items():
        assert again[name]["target_accuracy"] == figures["target_accuracy"]
        assert again[name]["density"] == pytest.approx(0.5) != figures["density"]


@pytest.mark.slow
def test_the_figures_are_those_of_the_two_models_on_the_same_images(start, small, tmp_path):
    digits = data.digits("test")
    drawn = np.sort(np.random.default_rng(0).permutation(len(digits))[:40])
    images = digits.images[drawn]
    networks, paths = {}, []
    for name in ("small", "resnet8"):
        target = digits_target(name)
        params = target.init(jax.random.key(0))
        # An untrained model predicts one or two classes of its own unless its biases are balanced.
        params["params"]["linear"]["bias"] -= target.apply(params, images).logits.mean(axis=0)
        networks[name] = target, params
        paths.append(tmp_path / f"{name}.safetensors")
        targets.save_weights(target, params, paths[-1])
    arguments = ["--models", *networks, "--weights", *paths, "--out", tmp_path / "out"]
    arguments += ["--explainer", "taylor_signed", "--density", 0.6]
    boxed = data.Subset(digits, drawn)
    lines = [f"{boxed.name(index)},8,8,2,1,6,7" for index in range(10)]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(["path,width,height,x0,y0,x1,y1", *lines]))
    arguments += ["--boxes", boxes]
    status, error = start("compare_architectures", *TINY, *arguments)
    assert status == 0, error
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    results = results_in(tmp_path / "out")

    predicted, maps, ious, energies = [], [], [], []
    for name, (target, params) in networks.items():
        figures = results["models"][name]
        classes = target.apply(params, images).logits.argmax(axis=1)
        explain = explainers.make_explainer("taylor_signed", target, density=0.6)
        pathway = explain(params, images, classes, key=jax.random.key(0))
        masked = target.apply(params, images, pathway.masks).logits.argmax(axis=1)
        assert figures["fidelity"] == pytest.approx(float(np.mean(classes == masked)))
        assert figures["target_accuracy"] == pytest.approx(float(np.mean(classes == digits.labels[drawn])))
        saliency = explainers.pathway_saliency(target, params, images, classes, pathway.masks)
        assert figures["blank_saliency"] == np.mean(np.all(saliency == 0, axis=(1, 2)))
        flat = np.concatenate([pathway.masks[site.name] for site in target.sites], axis=1)
        ious.append(metrics.class_similarity(flat, np.asarray(classes), 10).matrix)
        predicted.append(np.asarray(classes))
        maps.append(np.abs(saliency).reshape(len(images), -1))
        inside = np.abs(saliency[:10])[:, 1:7, 2:6].sum(axis=(1, 2)) / maps[-1][:10].sum(axis=1)
        energies.append(inside)
        localisation = figures["localisation"]
        assert localisation["num_images"] == 10
        assert localisation["pathway"]["energy"]["mean"] == pytest.approx(inside.mean(), rel=1e-3)

    comparison = results["comparison"]
    difference = comparison["differences"]["pathway_energy"]["mean"]
    assert difference == pytest.approx(np.subtract(*energies).mean(), abs=1e-4)
    same = predicted[0] == predicted[1]
    assert comparison["same_prediction"] == pytest.approx(same.mean())
    agreement = [stats.spearmanr(a, b).statistic for a, b in zip(maps[0][same], maps[1][same], strict=True)]
    likeness = comparison["saliency"]["pathway"]
    assert likeness["num_images"] == same.sum() > 1
    assert likeness["matched"] == pytest.approx(np.mean(agreement), abs=1e-4)
    both = np.intersect1d(*predicted)
    entries = [iou[np.ix_(both, both)][np.triu_indices(len(both), 1)] for iou in ious]
    assert comparison["iou_correlation"]["num_pairs"] == len(entries[0]) > 2
    assert comparison["iou_correlation"]["pearson"] == pytest.approx(stats.pearsonr(*entries).statistic)


def test_the_weights_of_both_are_read_before_anything_is_trained(start, small, tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr(models, "train_generator", never)
    target = digits_target("small")
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "w.safetensors")
    paths = [tmp_path / "w.safetensors", tmp_path / "nowhere.safetensors"]
    arguments = ["--models", "small", "small", "--weights", *paths, "--out", tmp_path / "out"]
    status, error = start("compare_architectures", *TINY, *arguments)
    assert status == 2 and "nowhere.safetensors" in error


def test_maps_that_are_blank_in_one_of_the_models_have_no_agreement():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(6, 4, 4)).astype(np.float32)
    first[2] = 0
    likeness = compare_saliency(first, first, seed=0)
    assert (likeness["num_images"], likeness["matched"]) == (5, pytest.approx(1.0))
    assert likeness["matched_low"] == pytest.approx(1.0)
    assert likeness["mismatched"] < 0.9


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_have_no_agreement(count):
    likeness = compare_saliency(np.ones((count, 4, 4)), np.ones((count, 4, 4)), seed=0)
    assert likeness["num_images"] == 0
    assert np.isnan([likeness["matched"], likeness["mismatched"]]).all()


def test_the_data_may_list_more_classes_than_the_weights_have(tmp_path):
    """Photographs of three classes in folders, beside a list of 50 that they are three of."""
    listed = [f"n{number:08d}" for number in range(50)]
    (tmp_path / "wnids.json").write_text(json.dumps(listed))
    for name in listed[7:10]:
        (tmp_path / "photographs" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photographs" / name / "1.png")
    target = targets.resnet8(image_size=8, num_classes=3)
    file = str(tmp_path / "weights.safetensors")
    targets.save_weights(target, target.init(jax.random.key(0)), file, class_names=listed[7:10])
    source = data.open_source(f"folder:{tmp_path / 'photographs'}")
    assert source.num_classes == 50
    options = ArchitectureComparison(data="unused", models=("resnet8", "resnet8"), weights=(file, file))
    for model in models.make_models(options, source):
        assert model.target.num_classes == 3
        assert data.fit_classes(
            source, 3, data.Known(model.class_names, "the classifier"), needed=True
        ).labels.tolist() == [0, 1, 2]
