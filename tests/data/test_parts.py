"""Folders that are parts of a data set, annotations or left empty are not silently its classes."""

import io
import json
import subprocess
import tarfile

import pytest
from PIL import Image

from jaxpath.data import MissingSplit, folder, open_source, tar
from jaxpath.data.splits import choose_split
from jaxpath.types import InputError


def make(root, paths):
    """Pictures and other files at ``paths``; a path that ends in / is an empty folder."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(parents=True, exist_ok=True)
        elif path.endswith(".png"):
            Image.new("L", (3, 2), len(path)).save(root / path)
        else:
            (root / path).write_text("none")
    return root


@pytest.fixture(params=["folder", "tar"])
def opened(request, tmp_path):
    """Opens files of these paths as a folder or a tar file."""

    def open_paths(paths, split=None):
        root = make(tmp_path / "set", paths)
        if request.param == "folder":
            return folder(root, split=split)
        with tarfile.open(tmp_path / "set.tar", "w") as archive:
            archive.add(root, arcname=".")
        return tar(tmp_path / "set.tar", split)

    return open_paths


def classes_in(*parts, classes=("cats", "dogs")):
    return [f"{part}/{name}/{part[-3:].strip('/')}.png" for part in parts for name in classes]


@pytest.mark.parametrize(
    ("train", "other", "asked"),
    [
        ("training_set/training_set", "test_set/test_set", "test"),
        ("seg_train/seg_train", "seg_test/seg_test", "test"),
        ("Train", "Test", "test"),
        ("training", "validation", "val"),
        ("TRAIN", "valid", "validation"),
        ("train2017", "val2017", "val"),
        ("asl_alphabet_train/asl_alphabet_train", "asl_alphabet_test/asl_alphabet_test", "asl_alphabet_test"),
        ("TrainImages", "TestImages", "TestImages"),
    ],
)
def test_folders_named_like_parts_are_splits_and_train_is_the_default(opened, train, other, asked):
    paths = classes_in(train, other)
    source = opened([*paths, f"{train}/cats/more.png"])
    assert source.class_names == ("cats", "dogs") and source.labels.tolist() == [0, 0, 1]
    assert len(opened(paths, asked)) == 2
    assert all(f"{other}/" in opened(paths, asked).name(i) for i in range(2))


def test_a_picture_in_a_part_makes_it_no_class(opened):
    source = opened([*classes_in("Train", "Test"), "Train/overview.png"])
    assert source.class_names == ("cats", "dogs") and source.labels.tolist() == [0, 1]
    assert [tuple(row) for row in source.left_out] == [
        ("pictures beside the class folders", 1, "overview.png")
    ]


def test_a_part_may_lack_a_class_and_food_11_has_three(opened):
    paths = [*classes_in("training", "evaluation"), "validation/cats/a.png"]
    assert opened(paths).class_names == opened(paths, "evaluation").class_names == ("cats", "dogs")
    assert opened(paths, "val").class_names == ("cats",)
    with pytest.raises(InputError, match=r'no split "test".*choose one of .*training'):
        opened(paths, "test")


def test_parts_without_class_folders_are_left_out_beside_a_split_and_said(opened):
    source = opened([*classes_in("train"), "test1/0.png"])
    assert source.class_names == ("cats", "dogs")
    assert [tuple(row) for row in source.left_out] == [("folders beside the split train", 1, "test1")]


@pytest.mark.parametrize(
    "paths",
    [
        ["train/0.png", "test1/1.png"],
        ["train/0.png", "val/1.png", "extra/2.png"],
        ["Train_A/0.png", "Test_A/1.png"],
        ["test1/0.png", "test2/1.png"],
        ["images/cat_1.png", "annotations/trimaps/cat_1.png"],
        ["JPEGImages/0.png", "labels/0.png", "cats/1.png"],
    ],
)
def test_parts_and_annotations_that_would_be_classes_are_refused(opened, paths):
    with pytest.raises(InputError, match=r"are named like .* name the folder that holds the class folders"):
        opened(paths)


def test_a_list_of_classes_ends_the_doubt(tmp_path):
    root = make(tmp_path / "set", ["train/0.png", "test/1.png", "notes/a.txt"])
    (tmp_path / "wnids.json").write_text(json.dumps(["train", "test", "notes"]))
    assert folder(root).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "names",
    [
        ("airplane", "bus", "train"),
        ("bottle", "Train", "tractor"),
        ("bullet_train", "freight train", "test_tube"),
        ("car", "test"),
        ("val", "valley"),
        ("images", "words"),
    ],
)
def test_classes_may_be_called_like_parts(opened, names):
    names = tuple(sorted(names))
    source = opened([f"{name}/0.png" for name in names])
    assert source.class_names == names and source.labels.tolist() == list(range(len(names)))
    assert source.left_out == () and source.remark == ""


def test_a_folder_that_may_be_a_split_or_a_class_is_refused_unless_it_is_asked_for(opened):
    paths = ["train/steam/0.png", "train/diesel/1.png", "car/2.png"]
    with pytest.raises(InputError, match=r'"train" .* "car" lies beside it.*is a split or a class'):
        opened(paths)
    assert opened(paths, "train").class_names == ("diesel", "steam")


def test_lists_and_annotations_beside_one_split_leave_no_doubt(opened):
    source = opened([*classes_in("train"), "Annotations/train/0.xml"])
    assert source.class_names == ("cats", "dogs")


def test_split_names_of_one_meaning():
    assert choose_split(("Training", "Testing"), None, "x") == "Training"
    assert choose_split(("train", "Train"), None, "x") == "train"
    assert choose_split(("train", "valid"), "val", "x") == "valid"
    with pytest.raises(MissingSplit, match="choose one of test1, test2") as caught:
        choose_split(("test1", "test2"), "test", "x")
    assert caught.value.names == ("test1", "test2")


@pytest.mark.parametrize(
    "strange", ["Annotations/0.xml", "attributes/a.txt", "runs/target/results.json", "cow/0.heic"]
)
def test_a_folder_of_other_files_beside_classes_is_refused(opened, strange):
    name = strange.split("/")[0]
    with pytest.raises(InputError, match=rf'"{name}" .* \(1 such\) holds files and no picture'):
        opened(["ant/0.png", "zebra/1.png", strange])


def test_an_empty_folder_is_a_class_and_that_is_said(tmp_path, capfd):
    root = make(tmp_path / "set", ["ant/0.png", "bee/", "cat/1.png"])
    source = open_source(str(root))
    assert source.class_names == ("ant", "bee", "cat") and source.labels.tolist() == [0, 2]
    assert 'the folder "bee" is empty and counts as a class' in capfd.readouterr().err
    (root / "wnids.json").write_text(json.dumps(["cat", "bee", "ant"]))
    assert folder(root).labels.tolist() == [2, 0] and folder(root).remark == ""


@pytest.mark.parametrize("name", ["#recycle", "@Recycle", "@eaDir", "$Recycle.Bin", "#snapshot"])
def test_folders_of_systems_are_left_out(opened, name):
    source = opened(["ant/0.png", "bee/0.png", f"{name}/ant/0.png", f"bee/{name}/9.png"])
    assert source.class_names == ("ant", "bee") and source.labels.tolist() == [0, 1]
    assert [tuple(row) for row in source.left_out] == [("folders that are hidden or the system's", 2, name)]


def test_times_in_a_header_of_gnu_tar_are_no_folder(tmp_path):
    """An incremental archive: access and change time at byte 345, and folders that list what is in them."""
    png = io.BytesIO()
    Image.new("L", (3, 2), 7).save(png, "png")
    members = [("set/", b"D", b"Yant\0Dbee\0\0"), ("set/ant/", b"D", b"Y0.png\0\0")]
    members += [(f"set/{name}/0.png", b"0", png.getvalue()) for name in ("ant", "bee", "n" * 150)]
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, content in [("my disk", b"V", b""), *members]:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            archive.addfile(member, io.BytesIO(content))
    data = bytearray((tmp_path / "a.tar").read_bytes())
    for start in range(0, len(data), 512):
        header = data[start : start + 512]
        if header[257:265] == b"ustar  \0":
            header[345:369] = b"15302725541\0" * 2
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
            data[start : start + 512] = header
    (tmp_path / "a.tar").write_bytes(data)
    source = tar(tmp_path / "a.tar")
    assert source.class_names == ("ant", "bee", "n" * 150) and source.left_out == ()
    assert source.labels.tolist() == [0, 1, 2] and source[1]["image"] == png.getvalue()


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_incremental_archives_of_gnu_tar_are_the_folder(tmp_path, form):
    root = make(tmp_path / "set", ["ant/0.png", "bee/0.png", "bee/more/1.png", "cow/"])
    snapshot, path = tmp_path / "snapshot", tmp_path / "a.tar"
    command = ["tar", f"--format={form}", "-g", snapshot, "-C", root, "-cf", path, "."]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no GNU tar")
    packed, whole = tar(path), folder(root)
    assert packed.class_names == whole.class_names == ("ant", "bee", "cow")
    assert packed.labels.tolist() == whole.labels.tolist() == [0, 1, 1]
    assert [packed[i]["image"] for i in range(3)] == [whole[i]["image"] for i in range(3)]


def test_the_rest_of_a_file_that_begins_in_another_volume_is_left_out(tmp_path):
    png = io.BytesIO()
    Image.new("L", (3, 2), 7).save(png, "png")
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind in (("ant/0.png", b"M"), ("ant/1.png", b"0"), ("bee/2.png", b"0")):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, png.tell()
            archive.addfile(member, io.BytesIO(png.getvalue()))
    source = tar(tmp_path / "a.tar")
    assert source.labels.tolist() == [0, 1]
    what = "files that begin in another volume of the archive"
    assert [tuple(row) for row in source.left_out] == [(what, 1, "ant/0.png")]
