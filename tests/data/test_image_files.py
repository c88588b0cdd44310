"""Folders and tar files of class folders: labels, splits, the cached index, real photographs."""

import json
import pickle
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

import jaxpath.data.index as index_module
from jaxpath.data import check_labels, decode, folder, open_source, tar
from jaxpath.types import InputError

FILES = {"cat": ["b.png", "a.png"], "dog": ["x.PNG"], "emu": ["1.png", "2.png"]}
ORDER = ["cat/a.png", "cat/b.png", "dog/x.PNG", "emu/1.png", "emu/2.png"]


def write_images(path, files=FILES):
    """Writes one picture per name; the red value is its rank among the sorted names."""
    names = sorted(f"{folder}/{name}" for folder, names in files.items() for name in names)
    for rank, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (rank, 0, 0)).save(path / name)
    return path


def write_tar(folder, path, mode="w"):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=".")
    return path


@pytest.fixture(params=["folder", "tar"])
def source(request, tmp_path):
    images = write_images(tmp_path / "images")
    (images / "cat" / "notes.txt").write_text("no picture")
    (images / "cat" / "._a.png").write_text("no picture either")
    return folder(images) if request.param == "folder" else tar(write_tar(images, tmp_path / "images.tar"))


def test_examples_come_sorted_by_class_and_name(source):
    assert source.class_names == ("cat", "dog", "emu")
    np.testing.assert_array_equal(source.labels, [0, 0, 1, 2, 2])
    assert [int(source[i]["label"]) for i in range(len(source))] == [0, 0, 1, 2, 2]
    assert [int(decode(source[i]["image"])[0, 0, 0]) for i in range(len(source))] == [0, 1, 2, 3, 4]
    assert all(name in source.name(i) for i, name in enumerate(ORDER))


def test_a_pickled_source_reads_the_same(source):
    source[0]
    copy = pickle.loads(pickle.dumps(source))
    assert [copy[i]["image"] for i in range(5)] == [source[i]["image"] for i in range(5)]
    assert [copy.name(i) for i in range(5)] == [source.name(i) for i in range(5)]


def test_labels_are_places_in_the_class_index(tmp_path):
    images = write_images(tmp_path / "images")
    source = folder(images, class_index=["dog", "yak", "emu", "cat"])
    np.testing.assert_array_equal(source.labels, [3, 3, 0, 2, 2])
    assert source.num_classes == 4
    check_labels(source, 4)


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_a_list_of_wnids_near_the_folder_gives_the_labels(tmp_path, place):
    images = write_images(tmp_path / "images")
    beside = images if place == "inside" else tmp_path
    (beside / "wnids.json").write_text(json.dumps(["emu", "dog", "cat", "yak"]))
    (beside / "class_names.json").write_text(json.dumps(["Emu", "Dog", "Cat", "Yak"]))
    source = open_source(f"folder:{images}")
    np.testing.assert_array_equal(source.labels, [2, 2, 1, 0, 0])
    assert source.class_names == ("Emu", "Dog", "Cat", "Yak")


def test_a_class_folder_that_is_not_in_the_index_is_named(tmp_path):
    images = write_images(tmp_path / "images")
    with pytest.raises(
        InputError, match=r'class folder "emu".*not among the 2 names of the given class index'
    ):
        folder(images, class_index=["cat", "dog"])


def test_a_part_of_the_classes_without_an_index_does_not_fit_a_larger_target(source):
    check_labels(source, 3)
    with pytest.raises(InputError, match=r"3 class folders and the target 1000 classes.*wnids.json"):
        check_labels(source, 1000)


def test_a_folder_that_is_not_there_or_has_no_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no images in"):
        folder(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"1 folders hold no file that ends in .jpg"):
        folder(tmp_path)


def test_tar_files_that_cannot_be_read_in_place_are_refused(tmp_path):
    images = write_images(tmp_path / "images")
    with pytest.raises(InputError, match="decompress it first"):
        tar(write_tar(images, tmp_path / "small.tar", "w:gz"))
    with pytest.raises(InputError, match="there is no file"):
        tar(tmp_path / "other.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images in"):
        tar(write_tar(tmp_path / "empty", tmp_path / "empty.tar"))


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_subfolders_named_like_splits_are_splits(tmp_path, kind):
    root = tmp_path / "set"
    write_images(root / "train", {"cat": ["a.png", "b.png"], "dog": ["c.png"]})
    write_images(root / "val", {"cat": ["d.png"], "dog": ["e.png"]})
    place = root if kind == "folder" else write_tar(root, tmp_path / "set.tar")
    assert len(open_source(f"{kind}:{place}")) == 3
    np.testing.assert_array_equal(open_source(f"{kind}:{place}", split="val").labels, [0, 1])
    with pytest.raises(InputError, match=r'no split "test".*choose one of train, val'):
        open_source(f"{kind}:{place}", split="test")


def test_a_class_may_be_called_train(tmp_path):
    images = write_images(tmp_path, {"car": ["a.png"], "train": ["b.png"]})
    assert open_source(str(images)).class_names == ("car", "train")
    with pytest.raises(InputError, match=r'no split "val".*in one part'):
        open_source(str(images), split="val")


@pytest.fixture
def small_cache(monkeypatch, tmp_path):
    """Every list of files is kept, in a folder of the test."""
    monkeypatch.setattr(index_module, "CACHE_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_kept_index_is_mapped_and_gives_the_same_source(tmp_path, kind, small_cache):
    images = write_images(tmp_path / "images")
    place = images if kind == "folder" else write_tar(images, tmp_path / "images.tar")
    first, second = open_source(f"{kind}:{place}"), open_source(f"{kind}:{place}")
    for source in (first, second, pickle.loads(pickle.dumps(second))):
        assert isinstance(source.index.names, np.memmap)
        assert [int(decode(source[i]["image"])[0, 0, 0]) for i in range(5)] == [0, 1, 2, 3, 4]
        assert source.class_names == ("cat", "dog", "emu")
    assert len(pickle.dumps(second.index)) < 300


def test_a_kept_index_is_made_anew_when_a_class_folder_changes(tmp_path, small_cache):
    images = write_images(tmp_path / "images")
    assert len(folder(images)) == 5
    shutil.copy(images / "dog" / "x.PNG", images / "dog" / "y.png")
    np.testing.assert_array_equal(folder(images).labels, [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("kind", ["folder", "tar"])
@pytest.mark.parametrize("left", [0, 50, 400])
def test_a_kept_index_that_is_cut_short_is_made_anew(tmp_path, kind, left, small_cache, capsys):
    images = write_images(tmp_path / "images")
    place = images if kind == "folder" else write_tar(images, tmp_path / "images.tar")
    open_source(f"{kind}:{place}")
    (path,) = (tmp_path / "cache" / "jaxpath" / "indices").iterdir()
    path.write_bytes(path.read_bytes()[:left])
    source = open_source(f"{kind}:{place}")
    assert [int(decode(source[i]["image"])[0, 0, 0]) for i in range(5)] == [0, 1, 2, 3, 4]
    assert f"{path} cannot be read" in capsys.readouterr().err
    assert isinstance(open_source(f"{kind}:{place}").index.names, np.memmap)
    assert capsys.readouterr().err == ""


def test_a_cache_folder_that_cannot_be_made_changes_nothing(tmp_path, monkeypatch, small_cache):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(folder(write_images(tmp_path / "images"))) == 5


def test_the_photographs_of_half_of_imagenet_keep_their_labels(shared_data):
    source = folder(shared_data / "imagenet" / "images")
    np.testing.assert_array_equal(source.labels, np.arange(0, 1000, 2))
    assert source.class_names[:2] == ("tench", "goldfish")
    check_labels(source, 1000)
    assert source.name(0).endswith("n01440764_tench.JPEG")


def test_the_cifar_archive_has_a_thousand_images_of_each_class(shared_data):
    source = open_source(str(shared_data / "cifar10" / "train_jpeg_10k.tar"))
    np.testing.assert_array_equal(np.bincount(source.labels), np.full(10, 1000))
    assert source.class_names[0] == "airplane" and source.class_names[9] == "truck"
    assert decode(source[9999]["image"]).shape == (32, 32, 3)
