"""What a comparison has scored, kept in its folder until it is done: one that was stopped goes on."""

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax

from jaxpath import data, metrics
from jaxpath.caches import cache_file, kept, unfinished
from jaxpath.files import sha256_of
from jaxpath.fills import References
from jaxpath.metrics import Session
from jaxpath.metrics.session import unwatched
from jaxpath.runs.comparison.entries import name_and_path
from jaxpath.runs.comparison.options import Comparison
from jaxpath.runs.comparison.scoring import Row
from jaxpath.runs.generators import generator_file
from jaxpath.runs.run import Run, as_config
from jaxpath.targets import digest

_FORMAT = 1


class Scores(NamedTuple):
    """The rows of a comparison, scored or read from its folder.

    Attributes:
        folder: Where they are kept; None keeps nothing.
        key: A hash of all that they depend on.
    """

    folder: Path | None
    key: str

    def of(self, place: int, make: Callable[[], Row]) -> Row:
        """The row of the explainer at ``place`` in the comparison."""
        if self.folder is None:
            return make()
        key = hashlib.sha256(f"{self.key}|{place}".encode()).hexdigest()
        path = cache_file("scores", key, version=_FORMAT, suffix=".json", folder=self.folder)
        return kept(path, make, read=_read, write=_write)


def keep_scores(
    session: Session,
    source: data.Source,
    options: Comparison,
    references: References | None,
    *,
    identity: str,
    run: Run,
) -> Scores:
    """Finds what an earlier start of the same comparison has scored.

    It is the same if options, files, parameters and every image are. Several processes keep nothing, and
    neither does the comparison of a classifier without an identity, whose program may have changed.

    Args:
        session: The classifier.
        source: The images to score.
        options: Of the comparison.
        references: Pictures that closed neurons take their values from.
        identity: Of the classifier's weights, or of the program and parameters of the user's own; may be
            empty.
        run: The run.
    """
    if jax.process_count() > 1 or not identity:
        return Scores(None, "")
    files = [] if options.boxes is None else [options.boxes]
    files += [generator_file(name_and_path(text)[1]) for text in options.generators]
    target = session.target
    named = [version("jaxpath"), identity, target.name, str(target.preprocessing), as_config(options)]
    reference = None if references is None else (references.images, references.classes, references.means)
    named += [*map(sha256_of, files), digest((session.params, reference))]
    named += map(digest, metrics.source_passes(session._replace(watch=unwatched), source)())
    return Scores(unfinished(run.out), hashlib.sha256(json.dumps(named).encode()).hexdigest())


def _write(path: Path, row: Row) -> None:
    path.write_text(json.dumps(row, default=lambda value: value.tolist()))


def _read(path: Path) -> Row:
    row = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(row, dict) or "curve" not in row:
        raise ValueError("it holds no scores of an explainer")
    return row
