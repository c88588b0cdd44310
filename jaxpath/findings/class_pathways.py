"""Class pathways as a file: learned once from many images, then put on images that were never seen."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxpath import metrics
from jaxpath.files import read_arrays, write_arrays
from jaxpath.metrics import Records
from jaxpath.pathways import site_arrays
from jaxpath.targets.belonging import check_classifier, classifier_facts
from jaxpath.targets.headers import parse_object
from jaxpath.types import InputError, Params, Target

_MADE_FOR = "made_for"
"""The array that says for which classifier a file was made, as JSON."""


class ClassPathways(NamedTuple):
    """How often the pathways of each class's images keep each channel.

    Attributes:
        frequencies: [K, N] in [0, 1]; NaN for a class without images.
        counts: int [K], the images that each class was learned from.
        threshold: A channel belongs to the class's pathway if at least this share keeps it.
        class_names: One name per class; empty if nobody has named them.
        method: How the images' pathways were found.
    """

    frequencies: np.ndarray
    counts: np.ndarray
    threshold: float
    class_names: tuple[str, ...]
    method: str

    @property
    def known(self) -> np.ndarray:
        """Bool [K], the classes that have a pathway."""
        return self.counts > 0

    @property
    def masks(self) -> np.ndarray:
        """Bool [K, N]; a class without images has an empty pathway."""
        return np.where(self.known[:, None], self.frequencies >= self.threshold, False)


def learn_class_pathways(
    records: Records,
    num_classes: int,
    *,
    threshold: float = 0.5,
    least: int = 1,
    class_names: tuple[str, ...] = (),
    method: str = "",
) -> ClassPathways:
    """Learns the pathways of all classes from explained images, grouped by their predicted class.

    Args:
        records: The explained images.
        num_classes: K.
        threshold: See :class:`ClassPathways`.
        least: Classes with fewer images get no pathway.
        class_names: One name per class.
        method: How the images' pathways were found.

    Raises:
        InputError: The threshold lies outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise InputError(f"the threshold is {threshold}; expected a share above 0 and up to 1, such as 0.5")
    counts = np.bincount(records.predicted, minlength=num_classes)
    counts = np.where(counts >= least, counts, 0)
    frequencies = metrics.source_frequencies(records, num_classes)
    frequencies[counts == 0] = np.nan
    return ClassPathways(frequencies, counts, threshold, class_names, method)


def save_class_pathways(
    pathways: ClassPathways, target: Target, path: str | Path, *, params: Params | None = None
) -> None:
    """Writes class pathways as an ``.npz`` file; :func:`load_class_pathways` reads it.

    Args:
        pathways: The class pathways.
        target: The classifier that they were learned from.
        path: The file.
        params: The classifier's parameters, of which the file keeps a digest; None: it cannot be checked then
            to which weights it belongs.
    """
    made_for = {} if params is None else {_MADE_FOR: json.dumps(classifier_facts(target, params))}
    arrays = {
        "frequencies": pathways.frequencies.astype(np.float32),
        "counts": pathways.counts,
        "threshold": pathways.threshold,
        "class_names": np.array(pathways.class_names, np.str_),
        "method": pathways.method,
        "target": target.name,
        **made_for,
        **site_arrays(target.sites),
    }
    write_arrays(path, arrays)


def load_class_pathways(path: str | Path, target: Target, *, params: Params | None = None) -> ClassPathways:
    """Reads a file of :func:`save_class_pathways`.

    Args:
        path: The file.
        target: The classifier that the pathways were learned from.
        params: Its parameters; None leaves them unchecked.

    Raises:
        InputError: There is no such file, it holds something else, or it belongs to another target, another
            preprocessing or other parameters.
    """
    arrays = read_arrays(path, "the class_pathways.npz that jaxpath class-pathway left")
    try:
        sites = list(zip(arrays["sites"].tolist(), arrays["channels"].tolist(), strict=True))
        name = str(arrays["target"])
        learned = ClassPathways(
            arrays["frequencies"],
            arrays["counts"],
            float(arrays["threshold"]),
            tuple(arrays["class_names"].tolist()),
            str(arrays["method"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} holds no class pathways; give the class_pathways.npz that jaxpath class-pathway left"
        ) from error
    expected = [(site.name, site.channels) for site in target.sites]
    if sites != expected or len(learned.counts) != target.num_classes:
        raise InputError(
            f"the class pathways in {path} are those of {name} with {len(learned.counts)} classes; expected "
            f"{target.name} with {target.num_classes}: learn them anew for this target"
        )
    if _MADE_FOR in arrays:
        facts = parse_object(str(arrays[_MADE_FOR]), f"{_MADE_FOR} in {path}")
        check_classifier(facts, target, params, path, "file of class pathways")
    return learned
