"""Help reads well, and a mistake is one sentence with exit status 2."""

import json

import numpy as np
import pytest

from jaxpath.cli.main import COMMANDS, Group


def paths(group: Group, *before: str):
    for name, node in group.entries.items():
        yield (*before, name)
        if isinstance(node, Group):
            yield from paths(node, *before, name)


def test_the_commands_are_listed_with_a_line_each(run):
    status, output, _ = run("--help")
    assert status == 0
    for name, node in COMMANDS.entries.items():
        assert name in output and node.summary[:30] in output


@pytest.mark.parametrize("path", list(paths(COMMANDS)), ids=" ".join)
def test_every_command_explains_its_options(run, path):
    status, output, _ = run(*path, "--help")
    assert status == 0
    assert output.startswith(f"usage: jaxpath {' '.join(path)}")
    assert "Attributes:" not in output


def test_completion_is_printed_for_the_shell_and_knows_every_command(run):
    status, output, _ = run("--tyro-print-completion", "bash")
    assert status == 0
    assert "class-pathway" in output and "--reference" in output and "cifar10" in output


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["explian"], "explian"),
        (["train", "mnist"], "mnist"),
        (["explain", "a.png"], "--weights"),
        (["explain", "a.png", "--weigths", "w"], "weigths"),
    ],
    ids=" ".join,
)
def test_a_mistyped_command_line_is_told_with_status_2(run, words, part):
    status, _, error = run(*words)
    assert status == 2 and part in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"images": None}, ["no image was given"]),
        ({"images": "nowhere.png"}, ["there is no image", "nowhere.png"]),
        ({"images": "empty"}, ["no images in", "empty"]),
        ({"images": "broken.png"}, ["broken.png is not a readable image", "--skip-unreadable"]),
        ({"images": "broken.png", "--skip-unreadable": ""}, ["none of the 1 images can be read"]),
        ({"--weights": "nowhere.safetensors"}, ["nowhere.safetensors", "does not exist"]),
        ({"--weights": "strange.safetensors"}, ["strange.safetensors", "--model", "resnet18"]),
        ({"--model": "resnet19"}, ["resnet19", "resnet18"]),
        ({"--model": "resnet20"}, ["look like the weights of resnet8"]),
        ({"--reference": "nowhere"}, ["nowhere", "folder:PATH"]),
        ({"--generator": "nowhere"}, ["no generator file nowhere"]),
        ({"--generator": "a", "--train-on": "b"}, ["--generator and --train-on"]),
        ({"--explainer": "saliency"}, ["saliency", "taylor_signed"]),
        ({"--density": 1.5}, ["1.5", "0 to 1"]),
        ({"--batch-size": 3}, ["batch size is 3", "8"]),
        ({"--details": 0}, ["--details is 0", "1 or more"]),
        ({"--seed": -1}, ["--seed is -1"]),
        ({"--class-names": "names.json"}, ["names.json", "10 names"]),
        ({"--class-names": "broken.png"}, ["broken.png", "cannot be read"]),
        ({"--class-pathways": "broken.png"}, ["broken.png cannot be read", "class_pathways.npz"]),
        ({"--words": "names.json"}, ["names.json holds no words"]),
        ({"--out": "broken.png"}, ["broken.png cannot be made"]),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_wrong_option_of_explain_is_one_sentence(
    run, tmp_path, monkeypatch, pictures, weights, changes, parts
):
    from safetensors.numpy import save_file

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "names.json").write_text(json.dumps(["a", "b"]))
    save_file({"a": np.zeros((2, 2), np.float32)}, tmp_path / "strange.safetensors")
    given = {"images": pictures / "b.png", "--weights": weights, "--image-size": 8, "--out": "out", **changes}
    image = given.pop("images")
    words = [word for pair in given.items() for word in pair if word != ""]
    status, _, error = run("explain", *([] if image is None else [image]), *words)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1 and "Traceback" not in error, error
    for part in parts:
        assert part in lines[0], lines[0]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"--threshold": 0}, ["threshold is 0.0", "above 0"]),
        ({"--apply-split": "test"}, ["--apply-split", "--apply"]),
        ({"--apply": "nowhere"}, ["nowhere"]),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_wrong_option_of_class_pathway_is_one_sentence(run, tmp_path, many, weights, changes, parts):
    given = {"--data": many, "--weights": weights, "--image-size": 8, "--out": tmp_path / "out", **changes}
    status, _, error = run("class-pathway", *[word for pair in given.items() for word in pair])
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1, error
    for part in parts:
        assert part in lines[0], lines[0]
