"""What is in batch number n of a process: a pure function of the seed and n."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxpath.data.decoding import open_picture
from jaxpath.data.reading import check_some_readable, name_the_file
from jaxpath.data.source import Source, UnreadableImage
from jaxpath.data.transforms import Augment
from jaxpath.types import InputError, Preprocessing

UNREADABLE = "unreadable"
"""Entry of a batch that counts what was skipped: the example that could not be read, or -1."""

_BUFFER_EMPTY = 4
"""Philox makes four numbers at a time; all of them are used up."""


class Shard(NamedTuple):
    """Which part of every global batch a process reads: number ``process`` of ``processes``."""

    process: int
    processes: int

    @classmethod
    def of_this_process(cls) -> "Shard":
        """The part of this process among those that JAX knows."""
        return cls(jax.process_index(), jax.process_count())


class Reading(NamedTuple):
    """How images are read.

    Attributes:
        num_workers: Number of worker processes; 0 uses threads, which share the work nearly as well
            because PIL decodes outside Python's lock. With workers the main script must be guarded
            by ``if __name__ == "__main__"``.
        num_threads: Number of threads without workers, and of batches made ahead; None takes one per
            core, 16 at most. 0 makes each batch when it is asked for.
        skip_unreadable: Whether examples that hold no picture are passed over and counted; in training
            each is replaced by the next one in the source.
    """

    num_workers: int = 0
    num_threads: int | None = None
    skip_unreadable: bool = False


@functools.lru_cache(maxsize=2)
def permutation(size: int, seed: int, epoch: int) -> np.ndarray:
    """The order of ``size`` examples in an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(size)


class ExampleGenerators:
    """Random generators that belong to a place in the stream of examples.

    A counter-based generator is set to its place, which takes a tenth of the time of making one:
    every example needs its own, or batches would depend on the number of processes.
    """

    def __init__(self, seed: int):
        self._bits = np.random.Philox(key=seed)
        self._state = self._bits.state
        self._state["buffer_pos"] = _BUFFER_EMPTY
        self._generator = np.random.Generator(self._bits)

    def at(self, position: int) -> np.random.Generator:
        """Returns the generator for ``position``, valid until the next call."""
        self._state["state"]["counter"][:] = 0, 0, 0, position
        self._bits.state = self._state
        return self._generator


@dataclasses.dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of one process; called in threads and in worker processes.

    Attributes:
        source: The examples, N of them.
        preprocessing: Gives the shape of the pictures.
        augment: Makes a picture of an example.
        batch_size: Size of the global batch, B.
        shard: The process reads the positions ``shard.process``, ``+ shard.processes`` and so on of each
            global batch.
        seed: Of the order and of the augmentation.
        skip_unreadable: Whether an example that holds no picture is passed over.
    """

    source: Source
    preprocessing: Preprocessing
    augment: Augment
    batch_size: int
    shard: Shard
    seed: int
    skip_unreadable: bool

    def train(self, number: int) -> dict[str, np.ndarray]:
        """Returns batch ``number`` of the endless stream of shuffled epochs."""
        generators = ExampleGenerators(self.seed)
        size = len(self.source)
        batch = self._empty()
        for row, position in enumerate(self._positions(number)):
            epoch, rank = divmod(position, size)
            index = int(permutation(size, self.seed, epoch)[rank])
            # An example that holds no picture is replaced by its neighbour, so that every process
            # goes on at its own pace and a run repeats exactly.
            for candidate in range(index, index + size):
                if self._fill(batch, row, candidate % size, generators.at(position)):
                    break
            else:
                self.check_some_readable()
        return batch

    def evaluation(self, number: int) -> dict[str, np.ndarray]:
        """Returns batch ``number`` of one pass in the order of the source; weight 0 is padding."""
        generators = ExampleGenerators(self.seed)
        batch = self._empty()
        for row, position in enumerate(self._positions(number)):
            if position < len(self.source):
                self._fill(batch, row, position, generators.at(position))
        return batch

    def check_some_readable(self) -> None:
        """Raises an error if there is no picture in the whole source, whichever part this process reads.

        Raises:
            NothingReadable: There is none.
        """
        rng = np.random.default_rng(self.seed)
        check_some_readable(
            self.source, lambda image: self.augment(open_picture(image), rng, self.preprocessing)
        )

    def _positions(self, number: int) -> range:
        """Places of this process's examples in the stream that all processes share."""
        return range(
            number * self.batch_size + self.shard.process,
            (number + 1) * self.batch_size,
            self.shard.processes,
        )

    def _empty(self) -> dict[str, np.ndarray]:
        size = self.batch_size // self.shard.processes
        return {
            "image": np.zeros((size, *self.preprocessing.shape), np.uint8),
            "label": np.zeros(size, np.int32),
            "index": np.full(size, -1, np.int64),
            "weight": np.zeros(size, np.float32),
            UNREADABLE: np.full(size, -1, np.int64),
        }

    def _fill(self, batch: dict[str, np.ndarray], row: int, index: int, rng: np.random.Generator) -> bool:
        """Writes an example into ``row``; returns False if it was passed over."""
        try:
            example = self.source[index]
            image = self.augment(open_picture(example["image"]), rng, self.preprocessing)
        except UnreadableImage as error:
            if not self.skip_unreadable:
                raise name_the_file(self.source, index, error) from error
            if batch[UNREADABLE][row] < 0:
                batch[UNREADABLE][row] = index
            return False
        if image.shape != self.preprocessing.shape or image.dtype != np.uint8:
            raise InputError(
                f"the augmentation returned {image.dtype} of shape {list(image.shape)} for "
                f"{self.source.name(index)}, but uint8 of shape {list(self.preprocessing.shape)} was expected"
            )
        batch["image"][row] = image
        batch["label"][row] = example["label"]
        batch["index"][row] = index
        batch["weight"][row] = 1
        return True
