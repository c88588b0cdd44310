"""Damaged and mislabelled inputs: each must be read rightly or refused in one sentence.

python tests/fuzzing/fuzz.py --count 300

Every input is read in a process of its own. No traceback, no more than ten seconds, no more than 1 GiB.
Ends with status 1 if an input fails; ``--only N`` repeats input N and shows its traceback.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from damage import DAMAGES
from kinds import KINDS, Kind

from jaxpath.types import InputError

SECONDS = 10.0
MEMORY = 2**30
_LONGEST_SENTENCE = 600
_MISLABELLED = 0.1
"""Share of the inputs that have the contents of another kind under their name."""

_FINE = ("read", "refused")


class Outcome(NamedTuple):
    """What became of one input: read, refused, or a failure, and in which words."""

    name: str
    said: str


class Sound(NamedTuple):
    """Sound files of one kind.

    Attributes:
        kind: The kind.
        folder: Where they are read; always the same, as some caches know it.
        backup: An untouched copy.
        files: Those that may be damaged, relative to the folder.
        result: What reading them gives, as text.
    """

    kind: Kind
    folder: Path
    backup: Path
    files: list[str]
    result: str


def make_sound(name: str, place: Path) -> Sound:
    """Makes the sound files of a kind, in a child: this process starts no threads of JAX."""
    kind, folder, answer = KINDS[name], place / "files", place / "answer.json"
    folder.mkdir(parents=True)
    child = os.fork()
    if not child:
        files = [str(path.relative_to(folder)) for path in kind.make(folder)]
        backup = shutil.copytree(folder, place / "backup")
        answer.write_text(
            json.dumps({"files": files, "backup": str(backup), "result": repr(kind.read(folder))})
        )
        os._exit(0)
    os.waitpid(child, 0)
    if not answer.exists():
        raise SystemExit(f"the sound files of {name!r} cannot be made or read")
    made = json.loads(answer.read_text())
    return Sound(kind, folder, Path(made["backup"]), made["files"], made["result"])


def damage_one(sound: Sound, others: Sequence[Sound], rng: np.random.Generator) -> str:
    """Restores the sound files and damages one of them; says how."""
    shutil.rmtree(sound.folder)
    shutil.copytree(sound.backup, sound.folder)
    name = sound.files[int(rng.integers(len(sound.files)))]
    path = sound.folder / name
    before = path.stat()
    content = path.read_bytes() or b"x"
    if rng.random() < _MISLABELLED:
        other = others[int(rng.integers(len(others)))]
        damaged, said = (other.backup / other.files[0]).read_bytes(), "the contents of another kind"
    else:
        damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
        damaged, said = damage(content, rng), damage.__name__
    path.write_bytes(damaged)
    # A disk that fails leaves the times of modification as they were.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return f"{name}: {said}"


def judge(sound: Sound) -> Outcome:
    """Reads the files in this process."""
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            result = repr(sound.kind.read(sound.folder))
    except InputError as error:
        said = str(error)
        if sound.kind.is_cache:
            return Outcome("cache refused", said)
        if "\n" in said or len(said) > _LONGEST_SENTENCE or not said:
            return Outcome("no sentence", said)
        return Outcome("refused", said)
    except BaseException:
        return Outcome("traceback", traceback.format_exc())
    if sound.kind.is_cache and result != sound.result:
        return Outcome("wrong cache", f"{result} is not {sound.result}")
    return Outcome("read", "")


def in_a_process(sound: Sound) -> Outcome:
    """Reads the files in a child, which is stopped when it takes too long; its memory is measured."""
    receiver, sender = os.pipe()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        # JAX warns of forks; its threads have not been started here.
        warnings.simplefilter("ignore", RuntimeWarning)
        child = os.fork()
    if not child:
        os.close(receiver)
        outcome = judge(sound)
        with os.fdopen(sender, "w", errors="replace") as pipe:
            pipe.write(f"{outcome.name}\n{outcome.said}")
        os._exit(0)
    os.close(sender)
    deadline, said = time.monotonic() + SECONDS, b""
    with os.fdopen(receiver, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            chunk = pipe.read(2**16)
            if not chunk:
                break
            said += chunk
        else:
            os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        return Outcome("hang" if killed == signal.SIGKILL else "crash", f"ended by signal {killed}")
    if (usage.ru_maxrss - before) * 1024 > MEMORY:
        return Outcome("memory", f"{usage.ru_maxrss // 1024} MiB")
    name, _, words = said.decode(errors="replace").partition("\n")
    return Outcome(name, words)


def run(count: int, seed: int, only: int | None) -> int:
    """Reads ``count`` damaged inputs; returns how many failed."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        sounds = [make_sound(name, Path(scratch) / str(i)) for i, name in enumerate(KINDS)]
        for number in range(count) if only is None else [only]:
            rng = np.random.default_rng((seed, number))
            sound = sounds[number % len(sounds)]
            damage = damage_one(sound, sounds, rng)
            outcome = in_a_process(sound)
            outcomes[outcome.name] += 1
            if outcome.name not in _FINE or only is not None:
                name = list(KINDS)[number % len(sounds)]
                said = outcome.said if only is not None else (outcome.said.strip().splitlines() or [""])[-1]
                print(f"{number} ({name}; {damage}): {outcome.name}: {said}", flush=True)
    print(", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())))
    return sum(count for name, count in outcomes.items() if name not in _FINE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="number of inputs")
    parser.add_argument("--seed", type=int, default=0, help="of the damages")
    parser.add_argument("--only", type=int, help="number of the one input to read")
    options = parser.parse_args()
    sys.exit(run(options.count, options.seed, options.only) > 0)


if __name__ == "__main__":
    main()
