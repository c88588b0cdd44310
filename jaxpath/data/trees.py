"""Which files of a tree of folders are pictures of which class: one rule for folders and archives."""

from collections.abc import Hashable
from typing import NamedTuple, Protocol

from jaxpath.data.class_index import order_folders
from jaxpath.data.index import LeftOut, is_image_name
from jaxpath.data.not_classes import Below, check_classes
from jaxpath.data.parts import find_part, parts_among
from jaxpath.data.splits import choose_split
from jaxpath.types import InputError

Place = tuple[str, ...]
"""A folder or file of a tree: the names that lead to it from the top."""

_SYSTEM = {
    *("__macosx", "lost+found", "$recycle.bin", "recycler", "system volume information", "__pycache__"),
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@sharebin"),
}
"""Folders that systems leave behind, some of them with copies of pictures in them; in lower case."""

_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


class Listing(NamedTuple):
    """What is in one folder.

    Attributes:
        folders: Names of folders and of links to folders.
        files: Names of all other files. A link with a picture's name is a file, wherever it leads.
        specials: Names of what is neither, such as pipes.
    """

    folders: list[str]
    files: list[str]
    specials: list[str]

    @property
    def visible(self) -> list[str]:
        """The folders that are neither hidden nor a system's, sorted."""
        return sorted(name for name in self.folders if not _is_system(name))

    @property
    def has_pictures(self) -> bool:
        """Whether a file is named like a picture."""
        return any(map(is_image_name, self.files))


class Tree(Protocol):
    """Folders that can be listed."""

    def listing(self, place: Place) -> Listing:
        """What is in a folder."""

    def identity(self, place: Place) -> Hashable:
        """The same for two places if one of them is, by way of links, the other."""


class ClassFiles(NamedTuple):
    """The pictures of a tree.

    Attributes:
        classes: Names of the class folders, in the order of :func:`order_folders`.
        files: Of each, the paths of its pictures below it, sorted.
        left_out: What is none of the pictures.
        nested: Whether there are folders in class folders.
    """

    classes: tuple[str, ...]
    files: list[list[str]]
    left_out: tuple[LeftOut, ...]
    nested: bool


class Tally:
    """Counts what is left out, by kind, with an example of each."""

    def __init__(self) -> None:
        self._rows: dict[str, LeftOut] = {}

    def add(self, what: str, *path: str) -> None:
        """Counts one more."""
        example, row = "/".join(path), self._rows.get(what)
        # The first by name, so that it does not depend on the order of a disk.
        number, example = (1, example) if row is None else (row.number + 1, min(example, row.example))
        self._rows[what] = LeftOut(what, number, example)

    @property
    def rows(self) -> tuple[LeftOut, ...]:
        """All kinds, sorted."""
        return tuple(sorted(self._rows.values()))


def find_root(tree: Tree, split: str | None, origin: str) -> tuple[Place, tuple[LeftOut, ...]]:
    """Finds the folder of the class folders, and the folders beside the chosen split that are left out.

    A folder that holds nothing but one folder of folders is passed through, as archives often start with
    one; pictures beside several folders in it do not make it a class. Folders named like splits
    (:func:`~jaxpath.data.parts.parts_among`) that hold folders are splits; one that holds only files is a
    class.

    Args:
        tree: The folders.
        split: Which split; None takes train, or all there is without splits.
        origin: What to call the data in messages.

    Raises:
        InputError: There is no such split, or a folder may be a split or a class.
    """
    place: Place = ()
    tally, seen, chosen = Tally(), set(), False
    while tree.identity(place) not in seen:
        seen.add(tree.identity(place))
        listing = tree.listing(place)
        splits = () if chosen else _splits(tree, place, split, origin)
        if splits:
            name = choose_split(splits, split, origin)
            for other in listing.visible:
                if other not in splits:
                    tally.add(f"folders beside the split {name}", *place, other)
            place, chosen = (*place, name), True
            continue
        if len(listing.visible) != 1 or listing.has_pictures:
            break
        (name,) = listing.visible
        inside = tree.listing((*place, name))
        if len(inside.visible) < (2 if inside.has_pictures else 1):
            break
        place = (*place, name)
    if split is not None and not chosen:
        choose_split(("",), split, origin)
    return place, tally.rows


def _splits(tree: Tree, place: Place, split: str | None, origin: str) -> tuple[str, ...]:
    """The splits of a data set in ``place``: folders named like parts of one that hold folders.

    Raises:
        InputError: A single one lies beside folders of pictures, or holds pictures beside other folders, so
            that it may be a class.
    """
    visible = tree.listing(place).visible
    kinds = parts_among(visible)
    inside = {name: tree.listing((*place, name)) for name in kinds}
    splits = tuple(name for name in kinds if inside[name].visible)
    parts = {kinds[name] for name in kinds if inside[name].visible or inside[name].has_pictures}
    # Two parts leave no doubt, and who asks for one of them has none.
    if not splits or len(parts) > 1 or (split is not None and find_part(splits, split)):
        return splits
    others = [name for name in visible if name not in kinds and _leads_to_pictures(tree, (*place, name))]
    if others:
        (first, *_) = splits
        holds = "pictures and folders" if inside[first].has_pictures else "folders"
        raise InputError(
            f'the folder "{first}" of {origin} holds {holds}, and "{others[0]}" lies beside it, so that it '
            f'is unknown whether it is a split or a class; name the folder "{first}" as the data or ask for '
            "the split if it is one, else rename it"
        )
    return splits


def _leads_to_pictures(tree: Tree, place: Place) -> bool:
    """Whether there are pictures in a folder, or in the first folder in it, and so on."""
    seen = set()
    while tree.identity(place) not in seen:
        seen.add(tree.identity(place))
        listing = tree.listing(place)
        if listing.has_pictures:
            return True
        if listing.visible:
            place = (*place, listing.visible[0])
    return False


def list_classes(tree: Tree, root: Place, *, origin: str, indexed: bool) -> ClassFiles:
    """Lists the pictures of the class folders in ``root``.

    A picture belongs to the class folder that it is in, at any depth. Left out and counted are pictures
    beside the class folders, hidden files and folders, folders of the system, files of other endings, and
    links to folders that are read already.

    Args:
        tree: The folders.
        root: The folder that holds the class folders.
        origin: What to call the data in messages.
        indexed: Whether a list names all class folders. If none does, folders that are hardly classes are
            refused: see :func:`~jaxpath.data.not_classes.check_classes`.

    Raises:
        InputError: As said.
    """
    tally = Tally()
    listing = tree.listing(root)
    _keep_pictures(listing, (), tally, beside=True)
    classes = order_folders(listing.visible)
    below = [_below(tree, root, name, tally) for name in classes]
    files = [found.pictures for found in below]
    if not indexed:
        check_classes(dict(zip(classes, below, strict=True)), origin)
    return ClassFiles(tuple(classes), files, tally.rows, nested=any(found.folders > 1 for found in below))


def _below(tree: Tree, root: Place, name: str, tally: Tally) -> Below:
    """What is in a class folder at any depth.

    Every folder is read once, so that links make no circle.
    """
    found: list[str] = []
    others = 0
    seen = {tree.identity(root)}
    waiting: list[Place] = [()]
    while waiting:
        inner = waiting.pop()
        place = (*root, name, *inner)
        identity = tree.identity(place)
        if identity in seen:
            tally.add("links to folders that are read already", name, *inner)
            continue
        seen.add(identity)
        listing = tree.listing(place)
        prefix = "".join(f"{part}/" for part in inner)
        pictures = _keep_pictures(listing, (name, *inner), tally)
        found += [prefix + file for file in pictures]
        others += len(listing.files) - len(pictures) - sum(map(_is_system_file, listing.files))
        waiting += [(*inner, folder) for folder in reversed(listing.visible)]
    return Below(sorted(found, key=_as_bytes), others, len(seen) - 1)


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _keep_pictures(listing: Listing, place: Place, tally: Tally, *, beside: bool = False) -> list[str]:
    """The pictures directly in a folder; counts what is left out there."""
    for name in sorted(listing.folders):
        if _is_system(name):
            tally.add("folders that are hidden or the system's", *place, name)
    pictures = []
    for name in listing.files:
        if is_image_name(name):
            pictures.append(name)
        elif name.startswith(".") and is_image_name(name.lstrip("._")):
            tally.add("hidden files", *place, name)
        elif not beside and not _is_system_file(name):
            tally.add("files without a picture's ending", *place, name)
    for name in listing.specials:
        tally.add("entries that are neither file nor folder", *place, name)
    if beside:
        for name in sorted(pictures):
            tally.add("pictures beside the class folders", name)
    return pictures


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _is_system_file(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES
