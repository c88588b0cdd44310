"""Help reads well, and a mistake is one sentence with exit status 2."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxpath import data
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
        (["explain", "a.png"], "--out"),
        (["explain", "a.png", "--out", "out"], "--weights"),
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
        ({"--ablation": "interchange"}, ["--ablation interchange", "--reference"]),
        ({"--class": "zebra"}, ["--class is 'zebra'", "0 to 9"]),
        ({"--class": 3, "--against": 3}, ["--class 3", "the same class"]),
        ({"--class": 3, "--explainer": "random"}, ["--class", "random", "taylor_signed"]),
        ({"--against": 3, "--generator": "a"}, ["--against", "generator"]),
        ({"--fail-if": "leakage=0.5"}, ["leakage=0.5", "leakage>0.5"]),
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


COMMANDS_ON_PICTURES = {
    "explain": ["{folder}"],
    "class-pathway": ["--data", "{folder}"],
    "dataset-report": ["--data", "{folder}"],
    "dissect": ["--data", "{folder}", "--sites", "000.relu", "--top-k", "2"],
}


@pytest.fixture
def mostly_broken(tmp_path, pictures):
    """Class folders with three broken files first, in all, and then as many pictures as ``good``."""

    def make(good):
        folder = tmp_path / "data"
        for label in range(10):
            (folder / f"c{label}").mkdir(parents=True)
        for number in range(3):
            (folder / "c0" / f"a{number}.png").write_bytes(b"no picture")
        for number in range(good):
            content = (pictures / f"{'bcd'[number % 3]}.png").read_bytes()
            (folder / f"c{number % 10}" / f"z{number}.png").write_bytes(content)
        for label in range(10):
            path = folder / f"c{label}"
            # An empty folder is a class of which there is no picture.
            if not any(path.iterdir()):
                (path / "a.png").write_bytes(b"no picture")
        return folder

    return make


@pytest.mark.parametrize("command", COMMANDS_ON_PICTURES)
def test_broken_files_are_passed_over_as_long_as_any_can_be_read(
    run, tmp_path, weights, command, mostly_broken, monkeypatch
):
    monkeypatch.setattr("jaxpath.cli.explain._BLOCK", 2)
    folder = mostly_broken(12)
    arguments = [word.format(folder=folder) for word in COMMANDS_ON_PICTURES[command]]
    arguments += ["--weights", weights, "--image-size", 8, "--out", tmp_path / "out", "--skip-unreadable"]
    status, _, error = run(command, *arguments)
    assert status == 0, error
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest.get("images", len(manifest.get("pictures", []))) == 12


@pytest.mark.parametrize("command", COMMANDS_ON_PICTURES)
def test_where_nothing_can_be_read_every_command_says_the_same(
    run, tmp_path, weights, command, mostly_broken
):
    folder = mostly_broken(0)
    arguments = [word.format(folder=folder) for word in COMMANDS_ON_PICTURES[command]]
    arguments += ["--weights", weights, "--image-size", 8, "--out", tmp_path / "out", "--skip-unreadable"]
    status, _, error = run(command, *arguments)
    told = error.strip().splitlines()[-1]
    assert status == 2 and "Traceback" not in error
    assert told == (
        f"error: none of the 12 images can be read ({folder}/c0/a0.png: its format is unknown); "
        "check that the data are images"
    )


@pytest.mark.parametrize("command", COMMANDS_ON_PICTURES)
@pytest.mark.parametrize("ignore", [False, True])
def test_every_command_turns_pictures_unless_it_is_told_not_to(
    run, tmp_path, weights, command, pictures, ignore, monkeypatch
):
    seen = []
    real = data.center_crop

    def watched(picture, preprocessing):
        seen.append(real(picture, preprocessing))
        return seen[-1]

    monkeypatch.setattr("jaxpath.data.transforms.center_crop", watched)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.asarray(Image.open(pictures / "b.png"))
    for label in range(10):
        folder = tmp_path / "data" / f"c{label}"
        folder.mkdir(parents=True)
        Image.fromarray(stored).save(folder / "x.png", exif=exif)
    arguments = [word.format(folder=tmp_path / "data") for word in COMMANDS_ON_PICTURES[command]]
    arguments += ["--weights", weights, "--image-size", 8, "--out", tmp_path / "out"]
    status, _, error = run(command, *arguments, *(["--ignore-exif"] if ignore else []))
    assert status == 0, error
    assert len(seen) >= 10
    for view in seen:
        np.testing.assert_array_equal(view[..., 0], stored if ignore else np.rot90(stored, -1))


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["explian"],
        ["explain", "--help"],
        ["explain", "nowhere.png", "--weights", "w", "--out", "o"],
        ["explain", "--weigths", "w"],
        ["dataset-report", "--data", "nowhere", "--weights", "w", "--out", "o"],
    ],
    ids=" ".join,
)
def test_help_and_refusals_load_no_jax(words, tmp_path):
    program = (
        "import sys\nfrom jaxpath.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n"
        "    assert end.code in (None, 0, 2), end\nassert not {'jax', 'flax', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
