import pytest
from PIL import Image

from jaxpath import data
from jaxpath.types import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.png", ".cache/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"") if name.endswith("txt") else Image.new("RGB", (4, 4)).save(path)
    return tmp_path


def test_files_keep_their_order_and_folders_give_all_pictures_below_them(folder):
    source = data.image_files([folder / "sub" / "c.png", folder])
    names = [source.name(i).removeprefix(f"{folder}/") for i in range(len(source))]
    assert names == ["sub/c.png", "a.JPG", "b.png", "sub/c.png"]


def test_their_classes_are_not_known(folder):
    source = data.image_files([folder])
    assert source.num_classes == 0 and source.labels.tolist() == [data.UNLABELLED] * 3
    assert source[0]["label"] == data.UNLABELLED


@pytest.mark.parametrize(
    ("paths", "message"),
    [([], "no image was given"), (["nowhere.png"], "there is no image"), (["empty"], "no images in")],
)
def test_nothing_to_show_is_one_clear_error(tmp_path, monkeypatch, paths, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        data.image_files(paths)
