"""Files that are named by their contents, and written whole or not at all."""

import hashlib
import os

import pytest

from jaxpath.files import replacing, sha256_of
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
        pytest.raises(InputError, match=r"cannot write .*below.json \(Not a directory\)"),
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
