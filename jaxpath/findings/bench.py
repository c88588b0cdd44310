"""What every finding needs: a frozen classifier, how it is explained, and pictures in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from jaxpath import data
from jaxpath.metrics import Batches, MakeExplainer
from jaxpath.types import InputError, Params, Target

Watch = Callable[[str, int, Iterable[Any]], Iterable[Any]]
"""``watch(title, total, batches)`` gives the batches back and may show how far they are."""


def unwatched(title: str, total: int, batches: Iterable[Any]) -> Iterable[Any]:
    """Shows nothing."""
    del title, total
    return batches


class Bench(NamedTuple):
    """A frozen classifier and where it runs.

    Attributes:
        target: The classifier.
        params: Its parameters.
        mesh: The devices.
        batch_size: Images at a time over all devices, a multiple of their number: one size for everything,
            so that each program is compiled once.
        watch: Told about every pass.
    """

    target: Target
    params: Params
    mesh: Mesh
    batch_size: int
    watch: Watch = unwatched


class Method(NamedTuple):
    """How pathways are found.

    Attributes:
        name: What to call it, such as ``"taylor_signed at density 0.2"``.
        make: ``explainer_params -> Explainer``.
        params: Of a trained explainer; ``{}`` if it has none.
        seed: Of explainers that draw at random.
    """

    name: str
    make: MakeExplainer
    params: Any
    seed: int = 0


class Pictures(NamedTuple):
    """Pictures as a target sees them, in memory.

    Attributes:
        images: uint8 [n, H, W, C].
        names: [n], such as the paths of their files.
        labels: int [n]; ``data.UNLABELLED`` where the class is not known.
    """

    images: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray

    def take(self, chosen: Iterable[int] | np.ndarray) -> "Pictures":
        """The pictures at the places ``chosen``, in that order."""
        places = np.asarray(list(chosen), np.int64)
        return Pictures(self.images[places], tuple(self.names[i] for i in places), self.labels[places])


def join_pictures(parts: Sequence[Pictures]) -> Pictures:
    """Several groups of pictures as one."""
    names = tuple(name for part in parts for name in part.names)
    images, labels = ([getattr(part, field) for part in parts] for field in ("images", "labels"))
    return Pictures(np.concatenate(images), names, np.concatenate(labels))


def load_pictures(bench: Bench, source: data.Source, *, skip_unreadable: bool = False) -> Pictures:
    """Reads ``source`` once, resized and cropped for the target.

    Raises:
        InputError: A file is no image and is not to be skipped, or no image can be read.
    """
    reading = bench._replace(batch_size=min(16, len(source)))
    images, places, labels = [], [], []
    for batch in source_passes(reading, "reading", source, skip_unreadable=skip_unreadable)():
        real = batch["weight"] > 0
        images.append(batch["image"][real])
        places.append(batch["index"][real])
        labels.append(batch["label"][real])
    names = tuple(source.name(int(place)) for place in np.concatenate(places))
    if not names:
        raise InputError(f"none of the {len(source)} images can be read; check that the files are images")
    return Pictures(np.concatenate(images), names, np.concatenate(labels))


def source_passes(bench: Bench, title: str, source: data.Source, *, skip_unreadable: bool = False) -> Batches:
    """Passes over ``source``, its images resized and cropped for the target."""

    def one_pass() -> Iterable[Mapping[str, np.ndarray]]:
        batches = data.eval_batches(
            source,
            batch_size=bench.batch_size,
            preprocessing=bench.target.preprocessing,
            skip_unreadable=skip_unreadable,
        )
        return bench.watch(title, -(-len(source) // bench.batch_size), batches)

    return one_pass


def passes(bench: Bench, title: str, **arrays: np.ndarray) -> Batches:
    """Passes over arrays with one leading axis as batches: with ``index``, and ``weight`` 0 for padding."""
    count, size = len(next(iter(arrays.values()))), bench.batch_size

    def one_pass() -> Iterator[Mapping[str, np.ndarray]]:
        for start in range(0, count, size):
            places = np.arange(start, start + size)
            real = places < count
            batch = {name: values[np.where(real, places, 0)] for name, values in arrays.items()}
            yield {**batch, "index": np.where(real, places, -1), "weight": real.astype(np.float32)}

    return lambda: bench.watch(title, -(-count // size), one_pass())
