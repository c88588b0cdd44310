"""Folder, tar file and .npz file of the same pictures are one data set, whatever the tree and the archive."""

import io
import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxpath.data import decode, folder, npz, tar

MODES = ("L", "RGB", "P", "1")
WORDS = ("ant", "Bee", "zebra finch", "Übung", "n01440764", "10", "9", "007", "x.jpg")
PLACES = ("", "more/", "more/still/", "x.png/")
JUNK = ("ant.png", "README.txt", ".DS_Store", "__MACOSX/ant/._0.png", ".cache/a.png", "@eaDir/0.jpg")


class Entry(NamedTuple):
    """A file of a tree: its bytes, or what it is a link to."""

    path: str
    content: bytes = b""
    hard: str = ""
    soft: str = ""


def picture(number: int, mode: str) -> Image.Image:
    """A picture [2, 3] that no other number has."""
    pixels = np.full((2, 3, 3), number % 251, np.uint8)
    pixels[0, 0] = number // 251, 7, 255
    return Image.fromarray(pixels).convert(mode)


def as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


@st.composite
def trees(draw) -> list[Entry]:
    """Class folders with pictures at any depth, links to earlier pictures, other files and other folders."""
    entries: list[Entry] = []
    pictures: list[str] = []
    classes = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True))
    for name in classes:
        for number in range(draw(st.integers(1 if name in classes[:2] else 0, 3))):
            suffix = draw(st.sampled_from((".png", ".JPG", ".jfif", ".jpe")))
            # One picture lies in the class folder itself: folders of folders may be parts of a data set.
            place = "" if number == 0 else draw(st.sampled_from(PLACES))
            path = f"{name}/{place}{number}{suffix}"
            kind = draw(st.sampled_from(("file", "hard", "soft"))) if pictures else "file"
            if kind == "file":
                mode = draw(st.sampled_from(MODES))
                entries.append(Entry(path, as_png(picture(len(entries), mode))))
                pictures.append(path)
            elif kind == "hard":
                entries.append(Entry(path, hard=draw(st.sampled_from(pictures))))
            else:
                other = draw(st.sampled_from(pictures))
                entries.append(Entry(path, soft=os.path.relpath(other, os.path.dirname(path))))
        # Empty folders are classes; those that hold anything but pictures are refused.
        filled = any(entry.path.startswith(f"{name}/") for entry in entries)
        if draw(st.booleans()):
            entries.append(Entry(f"{name}/{'notes.txt' if filled else '.keep'}", b"no picture"))
    entries += [Entry(name, b"none") for name in draw(st.lists(st.sampled_from(JUNK), unique=True))]
    # A single folder of folders would be passed through.
    return entries if len(classes) > 1 else [*entries, Entry("zoo/0.png", as_png(picture(999, "L")))]


def write_folder(entries: list[Entry], root: Path) -> Path:
    for entry in entries:
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.hard:
            os.link(root / entry.hard, path)
        elif entry.soft:
            path.symlink_to(entry.soft)
        else:
            path.write_bytes(entry.content)
    return root


def write_tar(
    entries: list[Entry], path: Path, *, prefix: str, form: int, stale: bool, folders: bool
) -> Path:
    """``stale`` puts an older version of each file before it, ``folders`` all folders before the files."""
    with tarfile.open(path, "w", format=form) as archive:
        if folders:
            for parent in sorted({os.path.dirname(entry.path) for entry in entries} - {""}):
                member = tarfile.TarInfo(prefix + parent)
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
        for entry in entries:
            member = tarfile.TarInfo(prefix + entry.path)
            if entry.hard or entry.soft:
                member.type = tarfile.LNKTYPE if entry.hard else tarfile.SYMTYPE
                member.linkname = prefix + entry.hard if entry.hard else entry.soft
                archive.addfile(member)
                continue
            for content in (b"old", entry.content) if stale else (entry.content,):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def expected(entries: list[Entry]) -> tuple[list[str], list[tuple[str, int, bytes]]]:
    """By the rules in words: class names, and (path, label, bytes) of the pictures in order."""
    hidden = ("__MACOSX", "@eaDir", ".cache")
    classes = {e.path.split("/")[0] for e in entries if "/" in e.path and not e.path.startswith(hidden)}
    numbers = all(name.isdigit() for name in classes)
    ordered = sorted(classes, key=(lambda name: (int(name), name)) if numbers else None)
    content = {e.path: e.content for e in entries}
    for e in entries:
        if e.hard or e.soft:
            content[e.path] = content[
                e.hard or os.path.normpath(os.path.join(os.path.dirname(e.path), e.soft))
            ]
    rows = [
        (path, ordered.index(path.split("/")[0]), content[path])
        for path in sorted(content, key=lambda path: path.encode())
        if path.split("/")[0] in classes and path.endswith((".png", ".JPG", ".jfif", ".jpe")) and "/" in path
    ]
    return ordered, sorted(rows, key=lambda row: row[1])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    entries=trees(),
    prefix=st.sampled_from(("", "./", "/", "data/", "./set/images/", f"{'long' * 30}/{'name' * 30}/")),
    form=st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)),
    stale=st.booleans(),
    folders=st.booleans(),
)
def test_folder_tar_and_npz_of_the_same_pictures_are_one_data_set(entries, prefix, form, stale, folders):
    classes, rows = expected(entries)
    with TemporaryDirectory() as name:
        place = Path(name)
        unpacked = folder(write_folder(entries, place / "images"))
        packed = tar(
            write_tar(entries, place / "a.tar", prefix=prefix, form=form, stale=stale, folders=folders)
        )
        images = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for _, _, content in rows]
        labels = [label for _, label, _ in rows]
        np.savez(place / "set.npz", images=np.stack(images), labels=labels, class_names=classes)
        whole = npz(place / "set.npz")
        top = prefix.strip("./")
        for i, (path, _, content) in enumerate(rows):
            assert unpacked[i]["image"] == packed[i]["image"] == content
            assert unpacked.name(i) == str(place.resolve() / "images" / path)
            assert packed.name(i) == f"{f'{top}/' if top else ''}{path} in {place.resolve() / 'a.tar'}"
            for source in (unpacked, packed, whole):
                np.testing.assert_array_equal(decode(source[i]["image"]), whole.images[i])
        for source in (unpacked, packed, whole):
            assert list(source.class_names) == classes
            assert source.labels.tolist() == labels and source.labels.dtype == np.int32
        assert {(row.what, row.number) for row in unpacked.left_out} == {
            (row.what, row.number) for row in packed.left_out
        }
