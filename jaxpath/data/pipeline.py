"""The Grain pipeline: batches made ahead of time by threads or worker processes, resumable exactly."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxpath.data.batches import UNREADABLE, BatchMaker, Reading, Shard
from jaxpath.data.source import Source
from jaxpath.data.transforms import Augment, make_augmentation, no_augmentation
from jaxpath.types import InputError, Preprocessing

MAX_THREADS = 16

READING = Reading()
"""In threads; a file that is no image is an error."""

_ATTEMPTS = 3
"""How often dead worker processes are replaced at one batch."""


class Batches(Iterator[dict[str, np.ndarray]]):
    """This process's batches in their order, made ahead of time.

    Each batch is a dict of arrays over b = B / P examples, P the number of processes:

    - ``image``: uint8 [b, H, W, C]; it is normalised on the device,
    - ``label``: int32 [b],
    - ``index``: int64 [b], place in the source; -1 where the weight is 0,
    - ``weight``: float32 [b], 1 for an example, 0 for padding or one that was passed over.
    """

    def __init__(
        self,
        make_batch: Callable[[int], dict[str, np.ndarray]],
        maker: BatchMaker,
        *,
        num_batches: int,
        reading: Reading,
    ):
        self._make_batch = make_batch
        self._maker = maker
        self._source = maker.source
        self._num_batches = num_batches
        self._num_workers = reading.num_workers
        self._num_threads = _num_cores() if reading.num_threads is None else reading.num_threads
        self._next = 0
        self._batches: Any = None
        self._unreadable: set[int] = set()
        self._any_read = False
        self._skips = reading.skip_unreadable

    def __next__(self) -> dict[str, np.ndarray]:
        if self._next >= self._num_batches:
            self.close()
            if self._skips and not self._any_read:
                self._maker.check_some_readable()
            raise StopIteration
        try:
            batch = self._take()
        except InputError:
            # Other threads and workers would go on making batches that nobody wants.
            self.close()
            raise
        self._next += 1
        skipped = batch.pop(UNREADABLE)
        self._unreadable.update(skipped[skipped >= 0].tolist())
        self._any_read |= bool(batch["weight"].any())
        return batch

    def _take(self) -> dict[str, Any]:
        """The next batch; workers that died are replaced, as long as some batches come in between."""
        for attempt in range(_ATTEMPTS):
            if self._batches is None:
                self._batches = iter(self._dataset())
            try:
                return dict(next(self._batches))
            except RuntimeError as error:
                # Grain's word for a worker process that is gone, say for want of memory.
                if not self._num_workers or "Worker process was terminated" not in str(error):
                    raise
                self.close()
                print(f"a data worker died ({error}); starting new ones ({attempt + 1})", file=sys.stderr)
        raise InputError(
            f"the data workers died {_ATTEMPTS} times at the same batch; give them more memory, use fewer "
            "workers, or read in threads with --num-workers 0"
        )

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Names of the examples that this process has passed over so far, each once."""
        return tuple(self._source.name(index) for index in sorted(self._unreadable))

    def get_state(self) -> dict[str, int]:
        """Returns what :meth:`set_state` needs to go on from here; it can be written as JSON.

        It does not depend on the numbers of processes, workers and threads, so that a run can be
        resumed with others.
        """
        return {"next_batch": self._next, "num_examples": len(self._source)}

    def set_state(self, state: Mapping[str, int]) -> None:
        """Goes to the place of ``state``: the next batches are those that followed it.

        Raises:
            InputError: The state belongs to a data set of another size.
        """
        if state["num_examples"] != len(self._source):
            raise InputError(
                f"the run to resume had {state['num_examples']} examples, but the data set now has "
                f"{len(self._source)}; restore the data or start a new run"
            )
        self.close()
        self._next = int(state["next_batch"])

    def close(self) -> None:
        """Stops threads and workers; the next batch starts them again."""
        if self._batches is not None:
            self._batches.close()
            self._batches = None

    def _dataset(self):
        import grain

        # A batch is a function of its number, so threads and workers share the work batch by
        # batch, and how many there are changes nothing in the batches.
        threads = 1 if self._num_workers else self._num_threads
        options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
        numbers = grain.MapDataset.range(self._num_batches)[self._next :]
        dataset = numbers.map(self._make_batch).to_iter_dataset(options)
        if not self._num_workers:
            return dataset
        _parse_absl_flags()
        options = grain.MultiprocessingOptions(num_workers=self._num_workers)
        return dataset.mp_prefetch(options, worker_init_fn=_leave_interrupts)


def train_batches(
    source: Source,
    *,
    batch_size: int,
    preprocessing: Preprocessing,
    seed: int,
    augment: str | Augment = "none",
    shard: Shard | None = None,
    reading: Reading = READING,
) -> Batches:
    """Returns endless batches for training: every epoch shuffled anew, every example once in each.

    The epochs follow each other without a gap, so a batch can hold the end of one and the start of
    the next, and no example is left out. Together the processes read the same global batches
    however many they are: process p of P has the examples p, p + P, p + 2P, ... of each.

    Args:
        source: The examples.
        batch_size: Size B of the global batch.
        preprocessing: The target's; pictures are cropped to its size. Nothing is normalised here.
        seed: Of the order and the augmentation, at least 0.
        augment: Name in :data:`~jaxpath.data.transforms.AUGMENTATIONS`, or a function as described there.
        shard: This process's part; None takes that of JAX's process.
        reading: Workers, threads, and what to do with files that are no images.

    Returns:
        The batches, with ``get_state`` and ``set_state``.

    Raises:
        InputError: An argument is out of range, or (when its batch is asked for) an example holds
            no picture.
    """
    maker = _make_maker(
        source,
        preprocessing=preprocessing,
        augment=make_augmentation(augment),
        batch_size=batch_size,
        shard=shard,
        seed=seed,
        reading=reading,
    )
    return Batches(
        maker.train,
        maker,
        num_batches=sys.maxsize // batch_size,
        reading=reading,
    )


def eval_batches(
    source: Source,
    *,
    batch_size: int,
    preprocessing: Preprocessing,
    shard: Shard | None = None,
    reading: Reading = READING,
    augment: str | Augment = no_augmentation,
    seed: int = 0,
) -> Batches:
    """Returns the batches of one pass over ``source`` in its order, without augmentation unless it is given.

    Every example comes once over all processes. The last batch is filled up with zeros of weight 0,
    so that every process has the same number of batches of the same size. A pass that is to skip unreadable
    examples ends with an error if there are no others, on all processes alike.

    Args:
        source: The examples.
        batch_size: Size B of the global batch.
        preprocessing: The target's; pictures are resized and cropped by it.
        shard: This process's part; None takes that of JAX's process.
        reading: Workers, threads, and what to do with files that are no images: they get the weight 0.
        augment: As for :func:`train_batches`; every pass draws the same views.
        seed: Of the augmentation.

    Raises:
        InputError: An argument is out of range, or (when its batch is asked for) an example holds
            no picture, or (at the end) none does.

    >>> from jaxpath.data import ArraySource
    >>> from jaxpath.types import Preprocessing
    >>> source = ArraySource(np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 0]))
    >>> preprocessing = Preprocessing(resize=None, crop=(8, 8), mean=(0.5,), std=(0.25,))
    >>> batches = list(eval_batches(source, batch_size=2, preprocessing=preprocessing))
    >>> [batch["weight"].tolist() for batch in batches]
    [[1.0, 1.0], [1.0, 0.0]]
    """
    maker = _make_maker(
        source,
        preprocessing=preprocessing,
        augment=make_augmentation(augment),
        batch_size=batch_size,
        shard=shard,
        seed=seed,
        reading=reading,
    )
    return Batches(
        maker.evaluation,
        maker,
        num_batches=-(-len(source) // batch_size),
        reading=reading,
    )


def _make_maker(
    source: Source,
    *,
    preprocessing: Preprocessing,
    augment: Augment,
    batch_size: int,
    shard: Shard | None,
    seed: int,
    reading: Reading,
) -> BatchMaker:
    shard = Shard.of_this_process() if shard is None else shard
    if not len(source):
        raise InputError("the data set has no examples; at least one is needed")
    if not 0 <= shard.process < shard.processes:
        raise InputError(
            f"the process is number {shard.process} of {shard.processes}, but numbers start from 0"
        )
    if batch_size < 1 or batch_size % shard.processes:
        raise InputError(
            f"the batch size is {batch_size}, but it must be a multiple of the {shard.processes} processes "
            f"that share a batch; take {max(batch_size // shard.processes, 1) * shard.processes}"
        )
    if seed < 0:
        raise InputError(f"the seed is {seed}, but it must be 0 or more")
    return BatchMaker(
        source=source,
        preprocessing=preprocessing,
        augment=augment,
        batch_size=batch_size,
        shard=shard,
        seed=seed,
        skip_unreadable=reading.skip_unreadable,
    )


def _num_cores() -> int:
    return min(os.cpu_count() or 1, MAX_THREADS)


def _leave_interrupts(worker: int, num_workers: int) -> None:
    """Ctrl-C reaches the workers, too; the process that they read for decides what it ends."""
    del worker, num_workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _parse_absl_flags() -> None:
    """Grain's worker processes read absl flags, which only an absl main program has parsed."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
