"""The command in processes of its own: terminals, users and signals of every kind."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from jaxpath import data

BARE = {
    name: os.environ[name]
    for name in ("PATH", "JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS", "JAX_PLATFORMS")
    if name in os.environ
} | {"PYTHONDONTWRITEBYTECODE": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}

INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

NO_USER = """
import pwd
def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = unknown
"""


def start(*words, before="", **environment):
    """The command ``jaxpath`` in a bare environment."""
    root = os.path.dirname(os.path.dirname(data.__path__[0]))
    program = f"{before}\nfrom jaxpath.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        env={**BARE, "PYTHONPATH": root, **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process):
    output, error = process.communicate(timeout=200)
    return process.returncode, output, error.decode("utf-8", "backslashreplace")


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Class folders and pictures whose names are no UTF-8, beside some that no ASCII terminal shows."""
    folder = os.fsencode(tmp_path_factory.mktemp("strange") / "pictures")
    images, labels = data.digits("train").images[..., 0], data.digits("train").labels
    for label in range(10):
        place = os.path.join(folder, b"kl\xe9-%d" % label)
        os.makedirs(place)
        for i in np.flatnonzero(labels == label)[:2]:
            with open(os.path.join(place, b"caf\xe9-%d.png" % i), "wb") as file:
                Image.fromarray(images[i]).save(file, "PNG")
    return os.fsdecode(folder)


def test_an_ascii_terminal_takes_names_that_are_no_unicode_to_the_end(strange, weights, tmp_path):
    common = ["--weights", weights, "--image-size", 8]
    terminal = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "XDG_CACHE_HOME": tmp_path / "cache"}
    # A home that is given by ~ in every option.
    os.symlink(weights, tmp_path / "weights.safetensors")
    os.symlink(strange, tmp_path / "pictures")
    words = ["explain", "~/pictures", "--weights", "~/weights.safetensors", *common[2:]]
    words += ["--reference", "folder:~/pictures", "--out", "~/report"]
    status, output, error = finish(start(*words, HOME=tmp_path, **terminal))
    assert status == 0, error
    assert rb"caf\udce9-0.png" in output and b"Traceback" not in output
    report = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert r"caf\udce9-0.png" in report and r"kl\udce9-" in report
    with np.load(tmp_path / "report" / "pathway.npz") as arrays:
        assert len(arrays["names"]) == 20 and all(os.path.exists(name) for name in arrays["names"])
    assert len(json.loads((tmp_path / "report" / "manifest.json").read_text())["pictures"]) == 20
    assert not os.path.exists("~")


def test_channels_are_named_after_classes_that_are_no_unicode(run, strange, weights, tmp_path):
    words = ["dissect", "--data", strange, "--weights", weights, "--image-size", 8, "--out", tmp_path]
    status, output, error = run(*words, "--top-k", 2, "--sites", "000.relu")
    assert status == 0, error
    assert r"kl\udce9-" in output
    names = json.loads((tmp_path / "words.json").read_text(encoding="utf-8"))["000.relu"]
    # A channel that is never active has no name.
    assert names and all(name["word"].startswith("kl\udce9-") for name in names.values())


def test_a_user_without_a_home_and_a_closed_pipe_get_a_report(pictures, weights, tmp_path):
    words = [
        "explain",
        pictures / "b.png",
        "--weights",
        weights,
        "--image-size",
        8,
        "--out",
        tmp_path / "out",
    ]
    process = start(*words, before=NO_USER, TMPDIR=tmp_path)
    process.stdout.close()
    with process.stderr:
        error = process.stderr.read().decode()
    assert process.wait(timeout=200) == 0, error
    assert "Traceback" not in error and "~" not in error
    assert (tmp_path / "out" / "manifest.json").exists() and (tmp_path / "out" / "report.html").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith("jaxpath-home")]


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/1/out"])
def test_an_output_folder_that_cannot_be_made_is_told_before_anything_is_read(
    run, tmp_path, out, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("earlier")
    for words in (
        ["explain", "nowhere.png", "--weights", "nowhere"],
        ["dataset-report", "--data", "nowhere", "--weights", "nowhere"],
        ["class-pathway", "--data", "nowhere", "--weights", "nowhere"],
        ["dissect", "--data", "nowhere", "--weights", "nowhere"],
    ):
        status, _, error = run(*words, "--out", out)
        assert status == 2 and error.startswith(f"error: the folder {out} cannot be made ("), error
        assert error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "earlier" and os.listdir(tmp_path) == ["file"]


@pytest.mark.slow
def test_ctrl_c_is_one_line_with_status_130_and_a_second_start_goes_on(many, weights, tmp_path):
    words = ["explain", "--weights", weights, "--image-size", 8, "--train-on", many, "--train-steps", 10**6]
    words += ["--out", tmp_path, *[tmp_path / "b.png"]]
    Image.fromarray(data.digits("test").images[0, ..., 0]).save(tmp_path / "b.png")
    log = tmp_path / "generator" / "metrics.jsonl"
    first = start(*words, before=INTERRUPTIBLE)
    deadline = time.monotonic() + 150
    while not (log.exists() and log.read_text().count("\n") > 1):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    status, _, error = finish(first)
    assert status == 130 and "Traceback" not in error
    assert "stopped and saved after step" in error
    second = start(*words, before=INTERRUPTIBLE)
    for line in second.stderr:
        if b"continues after step" in line:
            break
    second.send_signal(signal.SIGINT)
    status, _, error = finish(second)
    assert status == 130 and "Traceback" not in error
