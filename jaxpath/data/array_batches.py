"""Shuffled batches of arrays in memory, such as features that were computed once per view of each image."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxpath.data.batches import Shard, permutation
from jaxpath.types import InputError


class ArrayBatches(Iterator[dict[str, np.ndarray]]):
    """Endless batches for training: each epoch has every example once, in one of its views, in a new order.

    The batches depend on the seed and their number only, like those of
    :func:`~jaxpath.data.train_batches`: epochs follow each other without a gap, and process p of P has the
    examples p, p + P, p + 2P, ... of each.

    Args:
        arrays: Rows [V N, ...] by name: view v of example i is row v N + i.
        num_views: V.
        batch_size: Size B of the global batch.
        seed: Of the order and the choice of views, at least 0.
        shard: This process's part; None takes that of JAX's process.

    Raises:
        InputError: The batch does not divide over the processes, or the seed is negative.
    """

    unreadable: tuple[str, ...] = ()

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        *,
        num_views: int,
        batch_size: int,
        seed: int,
        shard: Shard | None = None,
    ) -> None:
        self._arrays, self._num_views, self._batch_size, self._seed = arrays, num_views, batch_size, seed
        self._shard = Shard.of_this_process() if shard is None else shard
        self._size = len(next(iter(arrays.values()))) // num_views
        if batch_size < 1 or batch_size % self._shard.processes or seed < 0:
            raise InputError(
                f"the batch size is {batch_size} and the seed {seed}; expected a multiple of the "
                f"{self._shard.processes} processes that share a batch, and a seed of 0 or more"
            )
        self._next = 0

    def __next__(self) -> dict[str, np.ndarray]:
        start = self._next * self._batch_size
        positions = range(start + self._shard.process, start + self._batch_size, self._shard.processes)
        rows = np.array([self._row(position) for position in positions])
        self._next += 1
        batch = {name: np.asarray(values[rows]) for name, values in self._arrays.items()}
        ones = np.ones(len(rows), np.float32)
        return {**batch, "index": (rows % self._size).astype(np.int64), "weight": ones}

    def _row(self, position: int) -> int:
        epoch, rank = divmod(position, self._size)
        example = int(permutation(self._size, self._seed, epoch)[rank])
        view = np.random.default_rng((self._seed, epoch, example)).integers(self._num_views)
        return int(view) * self._size + example

    def get_state(self) -> dict[str, int]:
        """Returns what :meth:`set_state` needs to go on from here; it can be written as JSON."""
        return {"next_batch": self._next, "num_examples": self._size}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes to the place of ``state``: the next batches are those that followed it.

        Raises:
            InputError: The state belongs to a data set of another size.
        """
        if state["num_examples"] != self._size:
            raise InputError(
                f"the run to resume had {state['num_examples']} examples, but the data set now has "
                f"{self._size}; restore the data or start a new run"
            )
        self._next = int(state["next_batch"])

    def close(self) -> None:
        """Nothing is open."""
