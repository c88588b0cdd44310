"""Commands explain a classifier of the user's own, named as package.module:function."""

import json

import numpy as np
import pytest
from foreign_models import own_cnn
from PIL import Image

from jaxpath import targets

OWN = ("--target", "foreign_models:own_cnn")


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 9), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.slow
def test_explain_makes_the_page_of_an_own_classifier(run, picture, tmp_path):
    target, params = own_cnn()
    targets.save_parameters(params, tmp_path / "params.safetensors")
    for name, weights in {"own": (), "given": ("--weights", tmp_path / "params.safetensors")}.items():
        out = tmp_path / name
        status, output, error = run("explain", picture, *OWN, *weights, "--density", 0.5, "--out", out)
        assert status == 0, error
        assert "classifier: linen_cnn with 3 classes, of foreign_models:own_cnn" in output
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["model"] == "linen_cnn"
        assert "<article" in (out / "report.html").read_text()
    pathways = [np.load(tmp_path / name / "pathway.npz") for name in ("own", "given")]
    assert pathways[0]["channels"].tolist() == [site.channels for site in target.sites]
    for name in ("predicted", "masks"):
        np.testing.assert_array_equal(pathways[0][name], pathways[1][name])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            ["--image-size", 12],
            "--image-size or --crop asks for 12 x 12 pixels, and the classifier of foreign_models:own_cnn "
            "has 10 x 9 pixels",
        ),
        (["--crop", 12], "--image-size or --crop asks for 12 x 12 pixels"),
        (
            ["--num-classes", 4],
            "--num-classes asks for 4 classes, and the classifier of foreign_models:own_cnn has 3 classes",
        ),
        (["--model", "resnet8"], "--model resnet8 and --target foreign_models:own_cnn name two classifiers"),
    ],
)
def test_what_an_own_classifier_is_cannot_be_changed_by_flags(run, picture, tmp_path, changes, said):
    status, _, error = run("explain", picture, *OWN, *changes, "--out", tmp_path / "out")
    assert status == 2 and said in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("explain", ["{picture}"]),
        ("compare-pictures", ["{picture}", "{picture}"]),
        ("dataset-report", ["--data", "{folder}"]),
        ("class-pathway", ["--data", "{folder}"]),
        ("dissect", ["--data", "{folder}"]),
        ("channel", ["--site", "000.relu", "--channel", "0", "--data", "{folder}"]),
    ],
)
def test_every_command_on_pictures_takes_an_own_classifier(run, picture, tmp_path, command, more):
    """Seen by what it says of a function that is none: nothing else is done before."""
    folder = tmp_path / "pictures" / "0"
    folder.mkdir(parents=True)
    picture.rename(folder / "picture.png")
    places = {"picture": folder / "picture.png", "folder": folder.parent}
    words = [command, *(word.format(**places) for word in more), "--out", tmp_path / "out"]
    status, _, error = run(*words, "--target", "foreign_models:missing")
    assert status == 2 and "names 'missing', which is no function of foreign_models" in error, error
