"""Tar files as unpacking them would leave them: links, names, damage, and what is left out."""

import io
import json
import os
import pickle
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

import jaxpath.data.index as index_module
from jaxpath.data import UnreadableImage, folder, open_source, tar
from jaxpath.types import InputError


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (3, 2), value).save(buffer, "png")
    return buffer.getvalue()


def write(path, members, form=tarfile.GNU_FORMAT):
    """``members``: name -> bytes, or a kind and where it leads; a list of pairs may name one twice."""
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    return path


def hard(name):
    return tarfile.LNKTYPE, name


def soft(name):
    return tarfile.SYMTYPE, name


FOLDER = (tarfile.DIRTYPE, "")


def contents(source):
    return [
        (source.name(i).split(" in ")[0], int(source.labels[i]), source[i]["image"])
        for i in range(len(source))
    ]


def test_links_are_followed_inside_the_archive(tmp_path):
    members = {
        "bee/0.png": png(1),
        "bee/1.png": soft("../ant/0.png"),
        "ant/0.png": png(2),
        "ant/1.png": hard("bee/0.png"),
        "ant/2.png": soft("more/3.png"),
        "ant/more": soft("../bee/deep"),
        "bee/deep/3.png": png(3),
    }
    source = tar(write(tmp_path / "a.tar", members))
    assert contents(source) == [
        ("ant/0.png", 0, png(2)),
        ("ant/1.png", 0, png(1)),
        ("ant/2.png", 0, png(3)),
        ("ant/more/3.png", 0, png(3)),
        ("bee/0.png", 1, png(1)),
        ("bee/1.png", 1, png(2)),
        ("bee/deep/3.png", 1, png(3)),
    ]


@pytest.mark.parametrize(
    "target", ["/etc/hostname.png", "../../outside.png", "1.png", "gone.png", "../ant", ""]
)
def test_a_link_to_no_file_of_the_archive_is_an_unreadable_picture_as_in_a_folder(tmp_path, target):
    (tmp_path / "outside.png").write_bytes(png(9))
    source = tar(
        write(tmp_path / "a.tar", {"ant/0.png": png(1), "ant/1.png": soft(target), "bee/0.png": png(2)})
    )
    assert source.labels.tolist() == [0, 0, 1]
    with pytest.raises(UnreadableImage, match="a link to no file of the archive"):
        source[1]
    if target == "gone.png":
        (tmp_path / "images" / "ant").mkdir(parents=True)
        (tmp_path / "images" / "ant" / "1.png").symlink_to(target)
        with pytest.raises(UnreadableImage, match="No such file"):
            folder(tmp_path / "images")[0]


def test_circles_of_folders_are_left_out_in_both(tmp_path):
    root = tmp_path / "images"
    for name in ("ant", "bee"):
        (root / name).mkdir(parents=True)
        (root / name / "0.png").write_bytes(png(1))
    (root / "ant" / "again").symlink_to("..")
    (root / "bee" / "self").symlink_to(".")
    (root / "bee" / "gone").symlink_to("nowhere")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(root, arcname=".")
    for source in (folder(root), tar(tmp_path / "a.tar")):
        assert len(source) == 2
        assert [tuple(row) for row in source.left_out] == [
            ("files without a picture's ending", 1, "bee/gone"),
            ("links to folders that are read already", 2, "ant/again"),
        ]


def test_a_bomb_of_links_is_read_in_no_time(tmp_path):
    members = {"ant/0.png": png(1), "bee/0.png": png(2)}
    for level in range(60):
        members |= {f"deep/{level}/{side}": soft(f"../{level + 1}") for side in "ab"}
    source = tar(write(tmp_path / "a.tar", {**members, "deep/60/x.png": png(3)}))
    assert source.class_names == ("ant", "bee", "deep") and source.labels.tolist() == [0, 1, 2]


def test_what_is_left_out_is_counted_and_said_once(tmp_path, capfd):
    members = {
        "./": FOLDER,
        "./overview.png": png(5),
        "./ant/0.jfif": png(1),
        "./ant/._0.jfif": b"resource fork",
        "./bee/0.jpe": png(2),
        "./__MACOSX/ant/0.png": png(9),
        "./.git/x.png": png(9),
        "./cat/": FOLDER,
        "./bee/pipe.png": (tarfile.FIFOTYPE, ""),
        "./ant/notes.txt": b"none",
        "../evil.png": png(9),
        "ant/lost.png": hard("ant/nowhere.png"),
        "./README": b"none",
    }
    path = write(tmp_path / "a.tar", members)
    source = open_source(str(path))
    assert source.class_names == ("ant", "bee", "cat") and source.labels.tolist() == [0, 1]
    assert {row.what: (row.number, row.example) for row in source.left_out} == {
        "pictures beside the class folders": (1, "overview.png"),
        "hidden files": (1, "ant/._0.jfif"),
        "folders that are hidden or the system's": (2, ".git"),
        "entries that are neither file nor folder": (1, "bee/pipe.png"),
        "files without a picture's ending": (1, "ant/notes.txt"),
        "members that lead out of the archive": (1, "../evil.png"),
        "hard links to no earlier member": (1, "ant/lost.png"),
    }
    open_source(str(path))
    said = capfd.readouterr().err
    assert said.count("left out are") == 1
    assert "pictures beside the class folders (1, such as overview.png)" in said


def test_the_last_of_two_members_counts_and_hard_links_keep_the_first(tmp_path):
    members = [
        ("ant/0.png", png(1)),
        ("bee/0.png", hard("./ant/0.png")),
        ("/ant//./0.png", png(2)),
    ]
    assert contents(tar(write(tmp_path / "a.tar", members))) == [
        ("ant/0.png", 0, png(2)),
        ("bee/0.png", 1, png(1)),
    ]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_that_are_not_utf8(tmp_path, form):
    long, strange = f"{'n' * 200}/{'x' * 150}.png", os.fsdecode(b"\xff\xfe/\xe9.png")
    members = {long: png(1), strange: png(2), "bee/ü.png": hard(long)}
    source = tar(write(tmp_path / "a.tar", members, form))
    assert source.class_names == tuple(sorted((long.split("/")[0], strange.split("/")[0], "bee")))
    assert {name: image for name, _, image in contents(source)} == {
        long: png(1),
        strange: png(2),
        "bee/ü.png": png(1),
    }


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_members_have_the_bytes_of_the_file(tmp_path, form):
    content = png(7) + bytes(1 << 20) + b"end"
    (tmp_path / "images" / "ant").mkdir(parents=True)
    with open(tmp_path / "images" / "ant" / "0.png", "wb") as file:
        file.write(png(7))
        file.seek(1 << 20, os.SEEK_CUR)
        file.write(b"end")
    (tmp_path / "images" / "bee").mkdir()
    (tmp_path / "images" / "bee" / "0.png").write_bytes(png(1))
    command = [
        "tar",
        "--sparse",
        f"--format={form}",
        "-C",
        tmp_path / "images",
        "-cf",
        tmp_path / "a.tar",
        ".",
    ]
    if (
        subprocess.run(command, capture_output=True).returncode
        or (tmp_path / "a.tar").stat().st_size > 1 << 19
    ):
        pytest.skip("no GNU tar, or a disk that keeps no sparse files")
    source = tar(tmp_path / "a.tar")
    assert pickle.loads(pickle.dumps(source))[0]["image"] == content
    assert source[1]["image"] == png(1)


@pytest.mark.parametrize("cut", [700, 1024, 1536])
def test_an_archive_that_is_cut_short_is_refused(tmp_path, cut):
    """In a header, between two members, and in bytes: Python's reader takes some of it for the end."""
    path = write(tmp_path / "a.tar", {"ant/0.png": png(1), "bee/0.png": png(2), "cat/0.png": png(3)})
    data = path.read_bytes()
    assert len(tar(path)) == 3
    path.write_bytes(data[:cut])
    with pytest.raises(InputError, match=r"damaged.*write a damaged one again"):
        tar(path)


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    path = write(tmp_path / "a.tar", {"ant/0.png": png(1), "bee/0.png": png(2), "cat/0.png": png(3)})
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="no header and no end of the archive at byte 1024"):
        tar(path)


def test_archives_one_behind_the_other_are_refused(tmp_path):
    one, two = (write(tmp_path / f"{n}.tar", {f"{n}/0.png": png(1)}) for n in ("ant", "bee"))
    (tmp_path / "both.tar").write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(InputError, match="tar --concatenate"):
        tar(tmp_path / "both.tar")


def test_lists_of_classes_inside_the_archive_count_as_in_a_folder(tmp_path, monkeypatch):
    lists = {"wnids.json": ["bee", "ant", "yak"], "class_names.json": ["Bee", "Ant", "Yak"]}
    files = {name: json.dumps(names).encode("utf-8-sig") for name, names in lists.items()}
    members = {f"set/{name}": text for name, text in files.items()}
    path = write(tmp_path / "a.tar", {**members, "set/ant/0.png": png(1), "set/bee/0.png": png(2)})
    monkeypatch.setattr(index_module, "CACHE_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for source in (tar(path), tar(path)):
        assert source.class_names == ("Bee", "Ant", "Yak") and source.class_ids == ("bee", "ant", "yak")
        assert source.labels.tolist() == [1, 0] and not source.labels_are_ranks
    assert isinstance(source.index.names, np.memmap)
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert folder(tmp_path / "out").class_names == ("Bee", "Ant", "Yak")


def test_what_is_left_out_is_kept_with_the_index(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "CACHE_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = write(tmp_path / "a.tar", {"stray.png": png(9), "ant/0.png": png(1), "bee/0.png": png(2)})
    first, second = tar(path), tar(path)
    assert isinstance(second.index.names, np.memmap)
    assert first.left_out == second.left_out == pickle.loads(pickle.dumps(second)).left_out != ()


def test_an_archive_that_is_replaced_by_one_of_the_same_size_and_time_is_listed_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "CACHE_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = write(tmp_path / "a.tar", {"ant/0.png": png(1), "bee/0.png": png(2)})
    assert tar(path).class_names == ("ant", "bee")
    stat = path.stat()
    other = write(tmp_path / "b.tar", {"ant/0.png": png(1), "cow/0.png": png(2)})
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.rename(path)
    assert tar(path).class_names == ("ant", "cow")


def test_a_new_picture_in_a_deeper_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "CACHE_FROM", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("ant/0.png", "ant/more/1.png", "bee/0.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(png(1))
    assert len(folder(tmp_path / "images")) == 3
    (tmp_path / "images" / "ant" / "more" / "2.png").write_bytes(png(2))
    assert len(folder(tmp_path / "images")) == 4
