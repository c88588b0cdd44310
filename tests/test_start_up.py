"""Options as they are typed, the folders that they name, and how a command ends."""

import dataclasses
import errno
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from jaxpath import start_up, terminal
from jaxpath.types import InputError


@dataclasses.dataclass(frozen=True)
class Inner:
    """Options within others."""

    weights: str = "w"
    checkpoints: str | None = None
    steps: int = 3


@dataclasses.dataclass(frozen=True)
class Options:
    """Every kind of path that a command takes."""

    out: Path = Path("out")
    data: str = "digits"
    images: tuple[Path, ...] = ()
    generators: tuple[str, ...] = ()
    words: Path | None = None
    inner: Inner = dataclasses.field(default_factory=Inner)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return str(tmp_path)


def test_a_tilde_is_the_home_folder_in_every_option(home):
    options = Options(
        out=Path("~/out"),
        data="npz:~/digits.npz",
        images=(Path("~/a.png"), Path("b.png")),
        generators=("gencnp:~/g.safetensors", "a~b"),
        words=Path("~"),
        inner=Inner(weights="~/w", checkpoints="~/c"),
    )
    assert start_up.expand_paths(options) == Options(
        out=Path(home, "out"),
        data=f"npz:{home}/digits.npz",
        images=(Path(home, "a.png"), Path("b.png")),
        generators=(f"gencnp:{home}/g.safetensors", "a~b"),
        words=Path(home),
        inner=Inner(weights=f"{home}/w", checkpoints=f"{home}/c"),
    )


def test_options_without_a_tilde_stay_as_they_are(home):
    options = Options(data="folder:a/~b", inner=Inner(weights="hf://owner/name"))
    assert start_up.expand_paths(options) is options


def test_a_user_without_a_home_is_told_so_and_gets_one_for_libraries(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    terminal.make_home()
    # Noted by the fixture, which takes them away again.
    for name in ("HOME", "USER"):
        monkeypatch.setitem(os.environ, name, os.environ[name])
    assert os.listdir(os.path.expanduser("~")) == [] and os.environ["USER"] == str(os.getuid())
    with pytest.raises(InputError, match="~/out begins with a home folder, but this user has none"):
        start_up.expand_paths(Options(out=Path("~/out")))
    monkeypatch.undo()


def test_the_folders_of_a_run_are_tried_before_it(tmp_path):
    (tmp_path / "file").write_text("")
    options = Options(out=tmp_path / "out", inner=Inner(checkpoints=str(tmp_path / "file" / "c")))
    with pytest.raises(InputError, match=r"file/c cannot be made"):
        start_up.prepare_folders(options)
    start_up.prepare_folders(dataclasses.replace(options, inner=Inner(checkpoints="gs://bucket/c")))
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_the_disk_refuses_anywhere_is_one_line(capsys, number):
    with pytest.raises(SystemExit) as end, start_up.settled():
        raise OSError(number, os.strerror(number), "somewhere")
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"error: the disk refused somewhere ({os.strerror(number)}); make room, or take another place\n"
    )


def test_other_errors_of_the_system_are_defects():
    with pytest.raises(ConnectionResetError), start_up.settled():
        raise ConnectionResetError(errno.ECONNRESET, "reset")


IN_A_DESTRUCTOR = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from jaxpath import start_up
class Doomed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
with start_up.settled():
    print("begun", flush=True)
    {}
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "interrupt",
    ["os.kill(os.getpid(), signal.SIGINT)", "Doomed()"],
    ids=["anywhere", "where errors are ignored"],
)
def test_ctrl_c_is_one_line_and_status_130(interrupt):
    done = subprocess.run(
        [sys.executable, "-c", IN_A_DESTRUCTOR.format(interrupt)],
        cwd=Path(start_up.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (130, "begun\n")
    assert done.stderr.splitlines() == [
        "interrupted; the same command goes on where it stopped, a training after its last checkpoint"
    ]


PRINTING = """
import sys
from jaxpath import start_up
with start_up.settled():
    for _ in range(3):
        print("x" * 100_000, flush=True)
    print("all printed", file=sys.stderr)
"""


def test_a_closed_pipe_costs_the_words_and_not_the_work():
    command = [sys.executable, "-c", PRINTING]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=Path(start_up.__file__).parents[1], **pipes) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b"all printed\n"
    assert process.returncode == 0


def test_output_onto_a_full_disk_is_one_line():
    command = [sys.executable, "-c", PRINTING]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=Path(start_up.__file__).parents[1], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr == (
        b"error: the disk refused to write (No space left on device); make room, or take another place\n"
    )


WAITING = """
import sys
from jaxpath import start_up
with start_up.settled():
    print("scored", file=sys.stderr)
    sys.stdin.read()
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_goes_to_a_log_is_there_at_once(unbuffered):
    command, folder = [sys.executable, "-c", WAITING], Path(start_up.__file__).parents[1]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as process:
        ready, _, _ = select.select([process.stderr], [], [], 60)
        said = process.stderr.readline() if ready else b"nothing within a minute"
        process.stdin.close()
    assert (said, process.returncode) == (b"scored\n", 0)
