"""Files that are named by their contents, and written whole or not at all."""

import hashlib
import json
import os
import resource

import numpy as np
import pytest

from jaxpath.files import (
    expand_home,
    prepare_folder,
    read_arrays,
    read_json,
    read_text,
    replacing,
    sha256_of,
    try_folder,
    write_arrays,
    write_text,
)
from jaxpath.types import InputError


def test_the_hash_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "weights").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256_of(tmp_path / "weights") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_file_longer_than_a_buffer_is_hashed_whole(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "long").write_bytes(content)
    assert sha256_of(str(tmp_path / "long")) == hashlib.sha256(content).hexdigest()


def test_readers_get_the_file_before_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["results.json"]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_file_before_and_nothing_else(tmp_path, error):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(InputError if error is OSError else error), replacing(path) as partial:
        partial.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="No such file"), replacing(tmp_path / "file"):
        pass


def test_the_folder_is_made_and_the_suffix_is_kept(tmp_path):
    with replacing(str(tmp_path / "new" / "arrays.npz")) as partial:
        assert (partial.parent, partial.suffix) == (tmp_path / "new", ".npz")
        partial.write_bytes(b"")
    assert os.listdir(tmp_path / "new") == ["arrays.npz"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"cannot write .*below.json \(File exists\)"),
        replacing(tmp_path / "file" / "below.json"),
    ):
        pass


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_gets_the_umasks_permissions_whatever_its_writer_does(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "weights") as partial:
            partial.write_bytes(b"")
            partial.chmod(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "weights").stat().st_mode & 0o777 == mode


@pytest.fixture
def small_disk():
    """No file may become longer than 100,000 bytes, which a program sees as it sees a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def numpy_arrays(path):
    write_arrays(path, {"noise": np.random.default_rng(0).random(100_000)})


def safetensors(path):
    from safetensors.numpy import save_file

    with replacing(path) as partial:
        save_file({"noise": np.zeros(100_000)}, partial)


def picture(path):
    from matplotlib.figure import Figure

    from jaxpath.report import save_figure

    figure = Figure(figsize=(4, 4))
    figure.add_subplot().imshow(np.random.default_rng(0).random((400, 400)))
    save_figure(figure, path)


def text(path):
    write_text(path, "a" * 200_000)


@pytest.mark.parametrize("write", [numpy_arrays, safetensors, picture, text])
def test_a_full_disk_is_one_sentence_and_leaves_the_file_before(tmp_path, write, small_disk):
    path = tmp_path / "result.png"
    path.write_text("old")
    with pytest.raises(InputError, match=r"cannot write .*result.png \(File too large\); make room"):
        write(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.png"]


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfcat\r\nd\xc3\xa9j\xc3\xa0\r\n", b"cat\nd\xc3\xa9j\xc3\xa0\n"],
    ids=["byte order mark, carriage returns", "plain"],
)
def test_a_text_is_read_as_the_words_in_it(tmp_path, content):
    (tmp_path / "words.txt").write_bytes(content)
    assert read_text(tmp_path / "words.txt", "words") == "cat\nd\u00e9j\u00e0\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"caf\xe9", "not UTF-8 (unexpected end of data at byte 3); expected words: save it as UTF-8"),
        (b"\xff\xfec\0", "not UTF-8"),
        (b'{"a": ', "no JSON"),
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_is_no_text_or_no_json_is_one_sentence(tmp_path, content, told):
    if content is not None:
        (tmp_path / "words.json").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_json(tmp_path / "words.json", "words")
    assert told in str(error.value) and "\n" not in str(error.value) and "words.json" in str(error.value)


def test_json_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(["\u00e9"]).encode())
    assert read_json(tmp_path / "a.json", "names") == ["\u00e9"]


def test_names_that_are_no_unicode_are_written_as_codes(tmp_path):
    write_text(tmp_path / "names.txt", os.fsdecode(b"caf\xe9") + "\u00e9")
    assert (tmp_path / "names.txt").read_text(encoding="utf-8") == "caf\\udce9\u00e9"


def test_arrays_come_back_and_damage_to_them_is_one_sentence(tmp_path):
    path = tmp_path / "arrays"
    write_arrays(path, {"a": np.arange(1000), "b": np.array(["x"])})
    read = read_arrays(path, "arrays")
    np.testing.assert_array_equal(read["a"], np.arange(1000))
    assert os.listdir(tmp_path) == ["arrays"] and read["b"].tolist() == ["x"]
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        # Either harmless or told; a date of the archive, say, is nobody's.
        try:
            read = read_arrays(path, "arrays")
        except InputError as error:
            assert "cannot be read" in str(error) and "\n" not in str(error)
        path.write_bytes(content[:place])
        with pytest.raises(InputError, match="cannot be read"):
            read_arrays(path, "arrays")


def test_a_folder_is_tried_before_the_work_and_nothing_stays_in_it(tmp_path):
    prepare_folder(tmp_path / "new" / "out")
    assert os.listdir(tmp_path / "new" / "out") == []
    prepare_folder("gs://bucket/run")
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("file", r"cannot be made \(File exists\); name another"),
        ("file/below", r"cannot be made \(Not a directory\); name another"),
        ("a" * 300, r"cannot be made \(File name too long\)"),
        ("/proc/1", r"cannot be written to \("),
        ("nul\0", r"cannot be made"),
    ],
)
def test_a_folder_that_cannot_be_made_or_written_to_is_one_sentence(tmp_path, place, told):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=told):
        prepare_folder(os.path.join(tmp_path, place))


def test_a_folder_that_is_tried_is_not_made(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("new/out", "", "gs://bucket/run"):
        try_folder(tmp_path / place if ":" not in place else place)
    for place in ("file", "file/below", "/proc/1/out"):
        with pytest.raises(InputError, match=r"cannot be made \("):
            try_folder(tmp_path / place)
    with pytest.raises(InputError, match=r"cannot be written to \("):
        try_folder("/proc/1")
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_on_a_full_disk_is_refused(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written to \(File too large\)"):
            prepare_folder(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_a_tilde_is_the_home_folder_and_an_unknown_home_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~/a") == f"{tmp_path}/a"
    assert expand_home("a/~") == "a/~"
    with pytest.raises(InputError, match="home folder that is not known"):
        expand_home("~nobody-of-that-name/a")
