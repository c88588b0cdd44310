"""Passes over a data set, and whatever is computed of each of its images in one."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath import data
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.metrics.session import Passes, Session
from jaxpath.types import Batch, HostBatch, InputError


def per_image(
    fn: Callable[[Any, Batch], Mapping[str, Array]],
    params: Any,
    passes: Passes,
    *,
    mesh: Mesh,
    undefined: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Runs ``fn(params, batch) -> {name: [b, ...]}`` over a data set, compiled for all devices.

    Args:
        fn: What is computed of each image; called with one device's part of a batch.
        params: Arrays that it uses, an argument of the program.
        passes: The data set.
        mesh: The devices.
        undefined: Names of what not every image has; NaN is a value there.

    Returns:
        Name -> [N_images, ...] in the order of the data set, without padding, and besides ``indices``
        (place in the data set: not all are there if some could not be read) and ``labels``.

    Raises:
        InputError: A result is not finite, or a flag of :func:`jaxpath.finite.flags` says so.
    """
    step, name = make_eval_step(_evaluator(fn), mesh), name_of(passes)
    return collect(step, passes(), replicate(params, mesh), {}, mesh=mesh, undefined=undefined, name=name)


def per_batch(
    fn: Callable[[Any, Batch], Mapping[str, Array]], params: Any, passes: Passes, *, mesh: Mesh
) -> Iterator[dict[str, np.ndarray]]:
    """What :func:`per_image` returns, batch by batch: for what is too large for the memory."""
    step, name = make_eval_step(_evaluator(fn), mesh), name_of(passes)
    params = replicate(params, mesh)
    for batch in passes():
        yield collect(step, [batch], params, {}, mesh=mesh, name=name)


def _evaluator(
    fn: Callable[[Any, Batch], Mapping[str, Array]],
) -> Callable[[Any, Any, Batch], dict[str, Array]]:
    def evaluate(params: Any, _: Any, batch: Batch) -> dict[str, Array]:
        return {"indices": batch["index"], "labels": batch["label"], **fn(params, batch)}

    return evaluate


@dataclasses.dataclass(frozen=True)
class SourcePasses:
    """Passes over a data set; see :func:`source_passes`."""

    session: Session
    source: data.Source
    title: str
    reading: data.Reading

    def __call__(self) -> Iterable[HostBatch]:
        """Starts a pass."""
        batches = data.eval_batches(
            self.source,
            batch_size=self.session.batch_size,
            preprocessing=self.session.target.preprocessing,
            reading=self.reading,
        )
        return self.session.watch(self.title, -(-len(self.source) // self.session.batch_size), batches)

    def name(self, index: int) -> str:
        """What to call an image in messages."""
        return self.source.name(index)


def name_of(passes: Passes) -> Callable[[int], str] | None:
    """How passes over a data set call an image by its index; None if they have no names."""
    return getattr(passes, "name", None)


def source_passes(
    session: Session,
    source: data.Source,
    *,
    title: str = "",
    reading: data.Reading = data.READING,
) -> Passes:
    """Passes over ``source`` in its order, its images resized and cropped for the target.

    Args:
        session: Says for which target, in batches of which size.
        source: The images.
        title: For the session's progress bar.
        reading: Workers, threads, and what to do with files that are no images.

    >>> from jaxpath import devices, metrics, targets
    >>> target = targets.resnet8(image_size=8, channels=1)
    >>> session = metrics.Session(target, {}, devices.make_mesh(jax.devices()[:1]), batch_size=2)
    >>> source = data.ArraySource(np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 0]))
    >>> [(batch["image"].shape, batch["weight"].tolist()) for batch in source_passes(session, source)()]
    [((2, 8, 8, 1), [1.0, 1.0]), ((2, 8, 8, 1), [1.0, 0.0])]
    """
    return SourcePasses(session, source, title, reading)


def images_at(session: Session, passes: Passes, indices: np.ndarray) -> np.ndarray:
    """The images of some ``indices`` of a data set, [n, H, W, C], in one pass that ends with the last one.

    Raises:
        InputError: An image is not there.
    """
    step = make_eval_step(lambda _, __, batch: {n: batch[n] for n in ("index", "image")}, session.mesh)
    found: dict[int, np.ndarray] = {}
    missing = set(np.asarray(indices).tolist())
    for number, batch in enumerate(passes()):
        # Every process has its part of this batch, and all have to fetch it or none.
        size = len(batch["index"]) * jax.process_count()
        here = {index for index in missing if index // size == number}
        if here:
            results = collect(step, [batch], {}, {}, mesh=session.mesh, name=name_of(passes))
            rows = dict(zip(results["index"].tolist(), results["image"], strict=True))
            found |= {index: rows[index] for index in here & rows.keys()}
            missing -= here
        if not missing:
            break
    absent = set(np.asarray(indices).tolist()) - found.keys()
    if absent or not found:
        raise InputError(
            f"{len(absent)} of {len(indices)} images were not found in the data set, such as number "
            f"{min(absent, default=0)}; give the passes that these numbers are from"
        )
    return np.stack([found[index] for index in np.asarray(indices).tolist()])


def array_passes(session: Session, *, title: str = "", first: int = 0, **arrays: np.ndarray) -> Passes:
    """Passes over arrays with one leading axis as batches: with ``index``, and ``weight`` 0 for padding.

    Indices are counted from ``first``. Every process holds the same arrays, and is given its part of each
    batch.
    """
    count, size = len(next(iter(arrays.values()))), session.batch_size
    shard = data.Shard.of_this_process()

    def one_pass() -> Iterator[HostBatch]:
        for start in range(0, count, size):
            places = np.arange(start, start + size)[shard.process :: shard.processes]
            real = places < count
            batch = {name: values[np.where(real, places, 0)] for name, values in arrays.items()}
            yield {**batch, "index": np.where(real, first + places, -1), "weight": real.astype(np.float32)}

    return lambda: session.watch(title, -(-count // size), one_pass())
