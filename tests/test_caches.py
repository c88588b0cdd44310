"""Results that are kept between starts."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from jaxpath import caches
from jaxpath.caches import cache_file, cache_folder, kept, map_arrays
from jaxpath.files import load_arrays


def write(path, array):
    with open(path, "wb") as file:
        np.savez(file, array=array)


def read(path):
    return load_arrays(path)["array"]


def ask(path, value=7, **options):
    """What is kept, and how often it was made."""
    made = []

    def make():
        made.append(value)
        return np.full(1000, value)

    return kept(path, make, read=read, write=write, **options), len(made)


def test_a_result_is_made_once(tmp_path):
    path = tmp_path / "new" / "a.npz"
    for expected in (1, 0):
        result, made = ask(path)
        np.testing.assert_array_equal(result, np.full(1000, 7))
        assert made == expected
    assert os.listdir(path.parent) == ["a.npz"]


def cut_short(path):
    path.write_bytes(path.read_bytes()[:500])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "cut short": cut_short,
    "bit flipped": flip_a_bit,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"garbage" * 100),
    "other arrays": lambda path: np.savez(path, another=np.zeros(3)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_cannot_be_read_is_made_anew_with_a_word(tmp_path, capsys, damage):
    path = tmp_path / "a.npz"
    ask(path)
    damage(path)
    result, made = ask(path)
    assert made == 1 and result.tolist() == [7] * 1000
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"the cache file {path} cannot be read" in told
    assert ask(path)[1] == 0 and capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["file/below.npz", "folder"])
def test_a_place_that_cannot_be_written_costs_time_only(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for _ in range(2):
        result, made = ask(tmp_path / place)
        assert made == 1 and result.tolist() == [7] * 1000


def test_a_result_that_is_not_worth_it_is_not_kept(tmp_path):
    ask(tmp_path / "a.npz", worth=lambda result: len(result) > 1000)
    assert os.listdir(tmp_path) == []


def test_the_version_is_part_of_the_name(tmp_path):
    names = {cache_file("kind", key, version=version, folder=tmp_path) for key in "ab" for version in (1, 2)}
    assert len(names) == 4


def test_without_a_home_nothing_is_kept(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert cache_folder("kind") is None and cache_file("kind", "a", version=1) is None
    assert ask(None)[1] == 1


def many_times(path):
    for value in range(20):
        path.unlink(missing_ok=True)
        result, _ = ask(path, value)
        assert len(set(result.tolist())) == 1


def test_several_write_the_same_file_at_once(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(many_times, [tmp_path / "a.npz"] * 3))
    assert os.listdir(tmp_path) == ["a.npz"]


def test_mapped_arrays_are_those_that_were_written(tmp_path):
    arrays = {
        "names": np.array([b"a.png", b"longer.png"]),
        "places": np.arange(6).reshape(3, 2),
        "empty": np.zeros((0, 2), np.int64),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    mapped = map_arrays(tmp_path / "a.npz")
    assert isinstance(mapped["places"], np.memmap)
    for name, values in arrays.items():
        assert mapped[name].dtype == values.dtype
        np.testing.assert_array_equal(mapped[name], values)


def test_damage_to_mapped_arrays_is_noticed(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(100))
    flip_a_bit(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"checksum of a.npy is wrong"):
        map_arrays(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", a=np.arange(100))
    with pytest.raises(ValueError, match="compressed"):
        map_arrays(tmp_path / "b.npz")


COMPILING = """
import os, sys
import jax
from jaxpath import caches
caches.keep_compiled_programs()
def programs():
    folder = caches.cache_folder("compiled")
    return [path for path in folder.iterdir() if path.name.startswith("jit_ramp")]
def ramp(x):
    return x + 1
for content in (b"", b"garbage"):
    jax.jit(ramp)(1.0)
    (program,) = programs()
    program.write_bytes(content)
    jax.clear_caches()
    assert jax.jit(ramp)(1.0) == 2
    assert [len(path.read_bytes()) > 100 for path in programs()] == [True]
"""


def test_a_compiled_program_that_is_damaged_is_compiled_and_kept_anew(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", COMPILING],
        cwd=Path(caches.__file__).parents[1],
        env={
            **environment,
            "XDG_CACHE_HOME": str(tmp_path),
            "JAX_PLATFORMS": "cpu",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert len(told) == 1 and told[0].startswith("reading the compiled program jit_ramp failed (")
    assert told[0].endswith("it is compiled anew")
