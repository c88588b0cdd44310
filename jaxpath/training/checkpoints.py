"""Checkpoints of a run, by Orbax."""

import base64
import contextlib
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxpath.files import prepare_folder, reason, refused
from jaxpath.training.background import quieten
from jaxpath.training.run_config import check_config, write_config
from jaxpath.training.state import TrainState
from jaxpath.types import InputError

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint")


class Restored(NamedTuple):
    """What a checkpoint gives back.

    Attributes:
        step: Number of steps done when it was written.
        state: Placed on devices as the abstract state asked.
        data: State of the data iterator, for its ``set_state``; None if none was saved.
        looks: What an early stopping had seen, for its ``set_state``; None if there was none.
    """

    step: int
    state: TrainState
    data: Any
    looks: Any = None


class Checkpoints:
    """The newest checkpoints of one run, in one folder.

    A checkpoint holds the train state, the data iterator's state and, as JSON, the configuration,
    the versions of the packages and a checksum per array. Weights that a run does not change are
    not in it: put :func:`~jaxpath.targets.weights_hash` of their file into the configuration. Writing
    goes on in the background; a checkpoint that was not finished when the program died does not count.

    Every process of a run makes one, with the same arguments, on a folder that all of them see.

    Args:
        directory: Folder, made if needed; an object store (``gs://...``) works as well.
        config: Everything that decides the run's result. Leave out what may change when a run is
            continued, such as the place of the logs.
        save_every: Steps between two checkpoints.
        max_to_keep: How many of the newest stay.

    Raises:
        InputError: The folder holds a run of another configuration; the message names every field
            that differs. Or the folder cannot be made.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        config: Mapping[str, Any],
        save_every: int,
        max_to_keep: int = 3,
    ):
        self.directory = _absolute(directory)
        self._config, self._save_every = dict(config), save_every
        quieten()
        self._claim()
        self._manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=LatestN(max_to_keep),
                cleanup_tmp_directories=True,
                enable_async_checkpointing=True,
            ),
            item_names=("state", "data", "meta"),
        )

    @property
    def latest_step(self) -> int | None:
        """Step of the newest finished checkpoint, None if there is none."""
        return self._manager.latest_step()

    def due(self, step: int) -> bool:
        """Whether a checkpoint is written after ``step``."""
        return step % self._save_every == 0

    def save(self, step: int, state: TrainState, *, data: Any = None, looks: Any = None) -> None:
        """Starts writing a checkpoint; returns as soon as ``state`` may be donated or changed.

        Args:
            step: Number of steps done. A checkpoint of this step that exists already stays.
            state: What to save.
            data: The data iterator's state, JSON's types or bytes; the same on every process.
            looks: What an early stopping has seen, JSON's types.

        Raises:
            InputError: This checkpoint or the one before could not be written.
        """
        if step in self._manager.all_steps():
            return
        meta = {
            "config": self._config,
            "versions": {name: version(name) for name in _PACKAGES},
            "checksums": _checksums(state),
            "looks": looks,
        }
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            data=ocp.args.JsonSave(_encode(data)),
            meta=ocp.args.JsonSave(meta),
        )
        with self._writing():
            self._manager.save(step, args=items, force=True)

    def restore(self, abstract_state: TrainState) -> Restored | None:
        """Returns the newest checkpoint that can be read, None if the folder has none.

        A newer one that is truncated or garbled is set aside (renamed to ``unreadable-STEP``), and
        a line on stderr says so.

        Args:
            abstract_state: A state of the same structure whose arrays say shape, type and
                sharding; arrays and ``jax.ShapeDtypeStruct`` both do. Devices may be others than
                those that wrote.

        Raises:
            InputError: There are checkpoints and none of them can be read.
        """
        failures = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self._read(step, abstract_state)
            except _UnreadableError as error:
                failures.append(f"step {step}: {error}")
                print(f"checkpoint of {failures[-1]}; trying the one before", file=sys.stderr)
                self._set_aside(step)
        if failures:
            raise InputError(
                f"no checkpoint in {self.directory} can be read ({'; '.join(failures)}); take another folder "
                "to start again"
            )
        return None

    def wait(self) -> None:
        """Returns when everything is on the disk.

        Raises:
            InputError: It could not be written, say because the disk is full.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and ends the background writer; raises what :meth:`wait` does."""
        with self._writing():
            self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Says in one sentence what the disk refused, also in a write that began earlier."""
        try:
            yield
        except Exception as error:
            if not refused(error):
                raise
            last = self._manager.latest_step()
            kept = "none was finished before" if last is None else f"the one of step {last} stays"
            raise InputError(
                f"cannot write a checkpoint into {self.directory} ({reason(error)}); {kept}; "
                "make room and start the same command again"
            ) from error

    def _claim(self) -> None:
        try:
            check_config(self.directory, self._config)
        except ImportError as error:
            raise InputError(f"cannot reach {self.directory}: {error}") from error
        _barrier("checked the configuration")
        if jax.process_index() == 0:
            prepare_folder(self.directory)
            write_config(self.directory, self._config)
        _barrier("wrote the configuration")

    def _read(self, step: int, abstract_state: TrainState) -> Restored:
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, abstract_state)
        parts = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract), data=ocp.args.JsonRestore(), meta=ocp.args.JsonRestore()
        )
        with _Reading():
            items = self._manager.restore(step, args=parts)
            written, read = items["meta"]["checksums"], _checksums(items["state"])
            changed = [name for name in written if read[name] != written[name]]
        if changed:
            raise _UnreadableError(f"the contents of {', '.join(changed)} changed after they were written")
        return Restored(step, items["state"], _decode(items["data"]), items["meta"].get("looks"))

    def _set_aside(self, step: int) -> None:
        _barrier(f"gave up checkpoint {step}")
        if jax.process_index() == 0:
            aside = self.directory / f"unreadable-{step}"
            if aside.exists():
                aside.rmtree()
            (self.directory / str(step)).rename(aside)
        _barrier(f"set checkpoint {step} aside")
        # Otherwise Orbax would take the step for a finished one and save nothing up to it.
        self._manager.reload()


class _UnreadableError(ValueError):
    """A checkpoint that is truncated or garbled."""


_GARBLED = (ValueError, OSError, LookupError, TypeError, AttributeError, EOFError)
"""What readers of JSON, of arrays and Orbax itself raise when a file says something else than was written."""


class _Reading:
    """Turns what a truncated, missing or garbled file causes into :class:`_UnreadableError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            return
        # Orbax wraps what goes wrong while it reads an array in a bare Exception.
        if kind is Exception or issubclass(kind, _GARBLED):
            reason = (str(error) or kind.__name__).splitlines()[0]
            raise _UnreadableError(reason[:200]) from error


def _absolute(directory: str | os.PathLike) -> epath.Path:
    scheme, separator, _ = os.fspath(directory).partition("://")
    if not separator:
        return epath.Path(os.path.abspath(directory))
    if scheme != "gs":
        # Orbax would fail at the first checkpoint.
        raise InputError(
            f"checkpoints cannot go to {os.fspath(directory)}; expected a folder or gs://BUCKET/FOLDER"
        )
    return epath.Path(directory)


def _barrier(name: str) -> None:
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


# Orbax 0.12 notices a truncated file, but stores arrays without checksums: a flipped bit comes back as
# another number. Nor does it go back to an older checkpoint. Hence these, and Checkpoints.restore.
def _checksums(state: Any) -> dict[str, int]:
    """CRC-32 of every array that is whole on this process, by its path in the tree."""
    leaves = jax.tree.leaves_with_path(state)
    whole = {jax.tree_util.keystr(path): leaf for path, leaf in leaves if leaf.is_fully_replicated}
    local = {name: _raw(leaf).addressable_data(0) for name, leaf in whole.items()}
    # As bytes: NumPy's buffers do not know bfloat16.
    return {
        name: zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data)
        for name, leaf in jax.device_get(local).items()
    }


def _raw(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _encode(data: Any) -> dict[str, Any]:
    """An iterator's state as JSON: bytes are not part of JSON, and neither is a bare value for Orbax."""
    if isinstance(data, bytes):
        return {"base64": base64.b64encode(data).decode()}
    return {"json": data}


def _decode(item: Mapping[str, Any]) -> Any:
    return base64.b64decode(item["base64"]) if "base64" in item else item["json"]
