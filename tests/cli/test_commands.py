"""The commands on small data: what they leave behind."""

import hashlib
import json
import re

import jax
import numpy as np
import pytest
from figure_files import channel_share
from safetensors.numpy import load_file, save_file

from jaxpath import data, explainers, fills, gencnp, targets
from jaxpath.findings import load_class_pathways
from jaxpath.pathways import flatten, unflatten


@pytest.fixture
def common(weights):
    return ["--weights", weights]


def test_explain_leaves_a_report_figures_pathways_and_a_manifest(
    run, common, pictures, many, tmp_path, weights
):
    out = tmp_path / "out"
    words = tmp_path / "words.json"
    words.write_text(json.dumps({"000.relu": ["<i>edge</i>"] * 16}))
    stale = [
        out / "channels" / "000-99.html",
        out / "pictures" / "001.html",
        out / "figures" / "saliency-9.png",
    ]
    for path in stale:
        path.parent.mkdir(parents=True)
        path.touch()
    status, output, error = run(
        *("explain", pictures, *common, "--reference", many, "--out", out, "--details", 3, "--words", words),
        *("--channels", "--attributions", "gradcam"),
    )
    assert status == 0, error
    assert not any(path.exists() for path in stale)
    assert f"report: {out / 'report.html'}" in output
    html = (out / "report.html").read_text()
    assert html.count("<article") == 3 and "The first 3 pictures are shown in full" in html
    assert "<img src=x" not in html and "&lt;img src=x onerror=alert(1)&gt; &amp; &#39;q&#39;.png" in html
    # The reference names the classes.
    assert "&lt;b&gt;" in html and "<b>1</b>" not in html
    assert "&lt;i&gt;edge&lt;/i&gt;" in html and "The pathway in words" in html
    assert html.count("<figcaption>whole network (Grad-CAM)") == 3
    channels = {path.name for path in (out / "channels").iterdir()}
    assert channels == set(re.findall(r'href="channels/([\d-]+\.html)"', html)) and channels
    assert all('href="../report.html"' in (out / "channels" / name).read_text() for name in channels)
    assert sorted(path.name for path in (out / "figures").iterdir()) == [
        "pathways-1.png",
        *(f"saliency-{number}.png" for number in (1, 2, 3)),
    ]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["weights"] == {"path": str(weights), "sha256": targets.weights_hash(weights)}
    assert manifest["command"].startswith("jaxpath") and manifest["seed"] == 0
    assert {"jax", "jaxpath", "python"} <= manifest["versions"].keys()
    assert manifest["method"] == "taylor_signed at density 0.2" and len(manifest["pictures"]) == 5


def test_the_pathways_that_explain_writes_are_the_explainers(run, common, pictures, tmp_path, weights):
    status, _, error = run("explain", pictures / "b.png", pictures / "c.png", *common, "--out", tmp_path)
    assert status == 0, error
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, weights)
    images = data.digits("test").images[1:3]
    labels = jax.jit(target.apply)(params, images).logits.argmax(axis=1)
    explain = jax.jit(explainers.make_explainer("taylor_signed", target, density=0.2))
    pathway = explain(params, images, labels, key=jax.random.key(0))
    with np.load(tmp_path / "pathway.npz") as arrays:
        assert arrays["names"].tolist() == [str(pictures / name) for name in ("b.png", "c.png")]
        np.testing.assert_array_equal(arrays["predicted"], labels)
        np.testing.assert_array_equal(arrays["masks"], np.asarray(flatten(pathway.masks, target.sites)) > 0)
        assert arrays["channels"].tolist() == [site.channels for site in target.sites]


@pytest.mark.parametrize("explainer", ["taylor_signed", "contrastive"])
def test_closed_channels_hold_the_means_of_the_reference(run, common, pictures, many, tmp_path, explainer):
    out = tmp_path / "out"
    options = [*common, "--reference", many, "--ablation", "mean", "--explainer", explainer, "--out", out]
    status, _, error = run("explain", pictures / "b.png", *options, "--density", 0.5)
    assert status == 0, error
    manifest = json.loads((out / "manifest.json").read_text())
    against = " against other pictures" if explainer == "contrastive" else ""
    assert manifest["method"] == f"{explainer} at density 0.5{against}" and manifest["ablations"] == ["mean"]
    page, shown = (out / "report.html").read_text(), "/".join(many.parts[-2:])
    assert f"closed channels hold their mean (over 40 pictures of {shown})" in page and str(many) not in page
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, common[1])
    clean = target.apply(params, np.load(many)["images"])
    means = {name: np.asarray(f).mean(axis=(0, 1, 2)) for name, f in clean.features.items()}
    with np.load(out / "pathway.npz") as arrays:
        masks = unflatten(arrays["masks"].astype(np.float32), target.sites)
        images, confidence = data.digits("test").images[1:2], arrays["masked_confidence"]
        label = arrays["predicted"][0]
    logits = target.apply(params, images, fills.fill_closed(masks, means)).logits[0]
    assert confidence[0] == pytest.approx(float(jax.nn.softmax(logits)[label]), rel=1e-3)

    # A search takes hundreds of passes a picture: fewer pictures are explained to compare with.
    order = np.random.default_rng(manifest["seed"]).permutation(40)
    same = (np.load(many)["labels"][order[20:]] == label).sum()
    compared = 20 + min(same, 8) if explainer == "contrastive" else 40
    assert f"<dt>reference</dt><dd>{compared} pictures of {shown}</dd>" in page


def test_class_pathways_are_learned_put_on_new_pictures_and_drawn_by_explain(
    run, common, pictures, many, tmp_path
):
    out = tmp_path / "classes"
    status, output, error = run("class-pathway", "--data", many, *common, "--apply", pictures, "--out", out)
    assert status == 0, error
    target = targets.resnet8(image_size=8, channels=1)
    learned = load_class_pathways(out / "class_pathways.npz", target)
    assert learned.counts.sum() == 40 and learned.class_names[3] == "<b>3</b>"
    assert channel_share(out / "class_pathways.png") > 0.1
    transfer = json.loads((out / "transfer.json").read_text())
    shown = transfer["pictures"]
    assert len(shown) + transfer["classes_without_pathway"] == 5
    agree = np.mean([p["class_pathway_predicts"] == p["predicted"] for p in shown])
    assert transfer["fidelity"]["class"] == pytest.approx(agree)
    assert "new pictures" in output

    file = out / "class_pathways.npz"
    status, _, error = run(
        "explain", pictures, *common, "--class-pathways", file, "--out", tmp_path / "report"
    )
    assert status == 0, error
    assert "how many of its pictures open each channel" in (tmp_path / "report" / "report.html").read_text()
    other = tmp_path / "other.safetensors"
    targets.save_weights(target, target.init(jax.random.key(9)), other)
    asked = ("--class-pathways", file, "--out", tmp_path / "other")
    status, _, error = run("explain", pictures, "--weights", other, *asked)
    assert status == 2 and "was made for other weights of resnet8" in error


def test_a_data_set_becomes_a_page(run, common, many, tmp_path):
    status, _, error = run("dataset-report", "--data", many, *common, "--images", 30, "--out", tmp_path)
    assert status == 0, error
    html = (tmp_path / "data_set.html").read_text()
    assert "digits.npz" in html and html.count("<circle") == 30
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["images"] == 30 and manifest["metrics"]["density"] == pytest.approx(0.2, abs=0.003)
    with np.load(tmp_path / "pathways.npz") as arrays:
        assert len(arrays["masks"]) == 30
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "density_per_site.png",
        "iou_matrix.png",
    }


def test_a_generator_trained_on_the_way_explains(run, common, pictures, many, tmp_path):
    out = tmp_path / "out"
    status, output, error = run(
        *("explain", pictures / "b.png", *common, "--train-on", many, "--train-steps", 2, "--out", out)
    )
    assert status == 0, error
    assert "generator: pathways of the frozen resnet8, 32 training images" in output
    results = json.loads((out / "generator" / "results.json").read_text())
    assert results["config"]["data"] == str(many) and results["config"]["generator"]["steps"] == 2
    manifest = json.loads((out / "manifest.json").read_text())
    digest = hashlib.sha256((out / "generator" / "generator.safetensors").read_bytes()).hexdigest()
    assert manifest["method"] == f"GEN-CNP generator {digest[:12]} with each picture's own density"
    # Explained by the file that was left: its pathway is that of the library.
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, common[1])
    generator = gencnp.load_generator(out / "generator" / "generator.safetensors", target, params=params)
    image = data.digits("test").images[1:2]
    explain = jax.jit(gencnp.make_gencnp(target, *generator))
    pathway = explain(params, image, np.zeros(1, int), key=jax.random.key(0))
    with np.load(out / "pathway.npz") as arrays:
        np.testing.assert_array_equal(arrays["masks"], np.asarray(flatten(pathway.masks, target.sites)) > 0)


def test_the_size_of_the_weights_is_taken_and_another_is_refused(run, weights, pictures, tmp_path):
    command = ("explain", pictures / "b.png", "--weights", weights, "--out", tmp_path)
    status, output, error = run(*command)
    assert status == 0, error
    assert "8 x 8, mean 0.449, std 0.226; by the weights" in output
    assert json.loads((tmp_path / "manifest.json").read_text())["preprocessing"]["crop"] == [8, 8]
    status, _, error = run(*command, "--image-size", 32)
    assert status == 2 and "trained on images of 8 x 8 pixels, and 32 x 32 were asked for" in error


@pytest.mark.parametrize("command", ["explain", "dataset-report", "class-pathway", "dissect"])
def test_an_assumed_preprocessing_is_printed_and_stands_in_page_and_manifest(
    run, command, weights, pictures, many, tmp_path
):
    foreign = tmp_path / "foreign.safetensors"
    save_file(load_file(weights), foreign)
    what = (pictures / "b.png",) if command == "explain" else ("--data", many)
    flags = ("--image-size", 8, "--mean", 0.25, "--std", 0.5, "--resize", 9, "--interpolation", "bicubic")
    out = tmp_path / "out"
    names = tmp_path / "names.json"
    names.write_text(json.dumps([f"<b>{number}</b>" for number in range(10)]))
    asked = ("--weights", foreign, *flags, "--out", out, "--class-names", names)
    few = ("--top-k", 4) if command == "dissect" else ()
    status, output, error = run(command, *what, *asked, *few)
    assert status == 0, error
    said = "shorter side to 9 (bicubic), crop 8 x 8, mean 0.25, std 0.5; model and preprocessing are assumed"
    assert output.count(said) == 1
    facts = json.loads((out / "manifest.json").read_text())["preprocessing"]
    assert {name: facts[name] for name in facts if name != "origin"} == {
        "resize": 9,
        "crop": [8, 8],
        "mean": [0.25],
        "std": [0.5],
        "interpolation": "bicubic",
    }
    assert facts["origin"].startswith("model and preprocessing are assumed")
    for page in out.glob("*.html"):
        assert said in page.read_text()


def test_a_generator_for_another_classifier_is_refused(run, common, pictures, many, weights, tmp_path):
    target = targets.resnet8(image_size=8, channels=1)
    other = tmp_path / "other.safetensors"
    targets.save_weights(target, target.init(jax.random.key(9)), other)
    generator = gencnp.Generator(target.sites, target.num_classes, width=8, grid=1)
    params = targets.load_weights(target, weights)
    _, reading = gencnp.read(target, params, np.zeros((1, 8, 8, 1), np.uint8))
    path = tmp_path / "generator.safetensors"
    made = jax.jit(generator.init)(jax.random.key(1), reading)
    gencnp.save_generator(generator, made, target, path, target_params=params)
    asked = ("explain", pictures / "b.png", "--generator", path, "--out", tmp_path / "out")
    status, _, error = run(*asked, "--weights", other)
    assert status == 2 and "was made for other weights of resnet8" in error
    assert len(error.splitlines()) == 1
    status, _, error = run(*asked, *common)
    assert status == 0, error
