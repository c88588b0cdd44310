"""The members of a tar file as the tree of folders that unpacking it would leave."""

import tarfile
from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

from jaxpath.data.index import is_image_name
from jaxpath.data.trees import Listing, Place, Tally
from jaxpath.types import InputError

NOWHERE = (-1, 0)
"""Span of a link that leads to no file of the archive."""

_MOST_LINKS = 40
"""Links on one path, as on a disk."""

_BEHIND = 2**20
"""Bytes behind the end that are looked at: writers fill up with zeros."""


_GNU_MAGIC = b"ustar  \0"

_DUMPED_FOLDER, _CONTINUED, _VOLUME = b"D", b"M", b"V"
"""GNU's kinds of members: a folder with the list of what is in it, the rest of a file, a label."""


class _Member(tarfile.TarInfo):
    """A member whose header is read as GNU tar reads it.

    GNU's format has the times of incremental archives where POSIX has the beginning of a long name.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if buf[257:265] == _GNU_MAGIC:
            member.name = tarfile.nts(buf[:100], encoding, errors)  # type: ignore[attr-defined]
        return member


class Folder:
    """A folder of an archive: its parent, and what is in it by name."""

    __slots__ = ("entries", "parent")

    def __init__(self, parent: "Folder | None"):
        self.parent = parent
        self.entries: dict[str, Node] = {}


class File(NamedTuple):
    """Where the bytes of a file are: offset and size; see :func:`sparse_header` for sparse ones."""

    offset: int
    size: int


class Link(NamedTuple):
    """A symbolic link."""

    target: str


Node = Folder | File | Link | None
"""None is neither file nor folder, such as a pipe."""


class TarTree:
    """What is in a tar file, as a :class:`~jaxpath.data.trees.Tree`.

    Later members replace earlier ones, hard links are the files that they name, and symbolic links are
    followed inside the archive and never out of it.

    Args:
        path: An uncompressed tar file.

    Raises:
        InputError: It is none, or cut short.
    """

    def __init__(self, path: Path):
        self._top = Folder(None)
        self.tally = Tally()
        try:
            with tarfile.open(
                path, "r:", encoding="utf-8", errors="surrogateescape", tarinfo=_Member
            ) as archive:
                while (member := archive.next()) is not None:
                    # The archive would keep a record of every member it has passed.
                    archive.members = []  # type: ignore[attr-defined]
                    self._unpack(member)
                _check_end(archive)
        # What a damaged header does to the reader is as open as the damage.
        except (tarfile.TarError, OSError, EOFError, ValueError, LookupError, ArithmeticError) as error:
            raise InputError(
                f"{path} is not an uncompressed tar file, or it is damaged ({error}); a compressed one has "
                "no random access: decompress it first, and write a damaged one again"
            ) from error

    def listing(self, place: Place) -> Listing:
        """What is in a folder."""
        folders: list[str] = []
        files: list[str] = []
        specials: list[str] = []
        folder = self._folder(place)
        for name, node in folder.entries.items():
            if isinstance(node, Link) and not is_image_name(name):
                # Links that lead nowhere are files, as on a disk.
                node = _follow(folder, node, [_MOST_LINKS]) or File(*NOWHERE)
            if isinstance(node, Folder):
                folders.append(name)
            else:
                (specials if node is None else files).append(name)
        return Listing(folders, files, specials)

    def identity(self, place: Place) -> Hashable:
        """The folder itself."""
        return id(self._folder(place))

    def span(self, place: Place) -> tuple[int, int]:
        """Offset and size of a file, :data:`NOWHERE` if it is a link to none."""
        folder = self._folder(place[:-1])
        node = _step(folder, place[-1], [_MOST_LINKS])
        return (node.offset, node.size) if isinstance(node, File) else NOWHERE

    def _folder(self, place: Place) -> Folder:
        node: Node = self._top
        for name in place:
            assert isinstance(node, Folder)
            node = _step(node, name, [_MOST_LINKS])
        assert isinstance(node, Folder), place
        return node

    def _unpack(self, member: tarfile.TarInfo) -> None:
        """Puts one member where unpacking would put it."""
        names = [name for name in member.name.split("/") if name not in ("", ".")]
        if not names or member.type == _VOLUME:
            return
        if member.type == _CONTINUED:
            self.tally.add("files that begin in another volume of the archive", *names)
            return
        folder = None if ".." in names else self._make_folder(names[:-1])
        if folder is None:
            self.tally.add("members that lead out of the archive", *names)
            return
        old = folder.entries.get(names[-1])
        if member.isdir() or member.type == _DUMPED_FOLDER:
            if not isinstance(_step(folder, names[-1], [_MOST_LINKS]), Folder):
                folder.entries[names[-1]] = Folder(folder)
        elif isinstance(old, Folder):
            self.tally.add("members with the name of a folder", *names)
        elif member.islnk():
            node = self._linked(member.linkname)
            if node is None:
                self.tally.add("hard links to no earlier member", *names)
            else:
                folder.entries[names[-1]] = node
        elif member.issym():
            folder.entries[names[-1]] = Link(member.linkname)
        elif member.isreg() or member.type not in tarfile.SUPPORTED_TYPES:
            offset = _sparse_offset(member.offset) if member.sparse else member.offset_data
            folder.entries[names[-1]] = File(offset, member.size)
        else:
            folder.entries[names[-1]] = None

    def _make_folder(self, names: list[str]) -> Folder | None:
        """The folder of this path, made as far as it is not there; None if a link leads out on the way."""
        folder = self._top
        for name in names:
            if not isinstance(folder.entries.get(name), Folder | Link):
                folder.entries[name] = Folder(folder)
            node = _step(folder, name, [_MOST_LINKS])
            if not isinstance(node, Folder):
                return None
            folder = node
        return folder

    def _linked(self, target: str) -> File | Link | None:
        """The earlier member that a hard link names."""
        *names, last = [name for name in target.split("/") if name not in ("", ".")] or [""]
        node: Node = self._top
        for name in names:
            node = _step(node, name, [_MOST_LINKS]) if isinstance(node, Folder) else None
        node = node.entries.get(last) if isinstance(node, Folder) else None
        return node if isinstance(node, File | Link) else None


def sparse_header(offset: int) -> int | None:
    """Where the header of a sparse file is, if the offset of a span says that it is one.

    The bytes of such a file lie in pieces, so it is read by way of its header.
    """
    return -2 - offset if offset <= -2 else None


def _sparse_offset(header: int) -> int:
    return -2 - header


def _step(folder: Folder, name: str, links: list[int]) -> Node:
    """What is in ``folder`` by this name, behind all links."""
    node = folder.entries.get(name)
    return _follow(folder, node, links) if isinstance(node, Link) else node


def _follow(folder: Folder, link: Link, links: list[int]) -> Node:
    """What a link in ``folder`` leads to; None if it leads out of the archive, to nothing, or in a circle.

    Args:
        folder: Where the link is.
        link: The link.
        links: How many may still be followed; counted down.
    """
    links[0] -= 1
    if links[0] < 0 or not link.target or link.target.startswith("/"):
        return None
    node: Node = folder
    for name in link.target.split("/"):
        if not isinstance(node, Folder):
            return None
        if name not in ("", "."):
            node = node.parent if name == ".." else _step(node, name, links)
    return node


def _check_end(archive: tarfile.TarFile) -> None:
    """Raises an error unless the archive ends here: the reader takes a damaged header for the end."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(
            f"no header and no end of the archive at byte {archive.offset}: it is cut short"
        )
    if archive.fileobj.read(_BEHIND).strip(b"\0"):
        raise tarfile.ReadError(
            f"more behind its end at byte {archive.offset}: join archives with tar --concatenate"
        )
