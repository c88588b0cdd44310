"""An interpreter that learns from what a frozen classifier says, found once per view of each image."""

from typing import Any

import jax
import numpy as np
from jax import Array

from jaxpath import data, flint
from jaxpath.runs.features import Views, feature_batches
from jaxpath.runs.run import Run
from jaxpath.targets.stages import Staged, named, read_of
from jaxpath.types import Batch, Params, Target


class ReadOnce:
    """A classifier and its interpreter as what depends on the images only, and the rest.

    Args:
        target: The classifier.
        interpreter: Its interpreter.
        params: Of the interpreter; only their shapes count.
    """

    def __init__(self, target: Target, interpreter: flint.Interpreter, params: Params) -> None:
        self._target, self._interpreter, self._params = target, interpreter, params
        image = jax.ShapeDtypeStruct(target.preprocessing.shape, np.uint8)
        self._staged = Staged(self._run, image, name=f"the interpreter of {target.name}")

    def batches(self, frozen: Params, source: data.Source, views: Views, *, run: Run) -> data.ArrayBatches:
        """Endless batches of the images and what is read of them; ``frozen`` are the classifier's parameters.

        See :func:`jaxpath.runs.features.feature_batches`.
        """

        def read(frozen: Params, batch: Batch) -> dict[str, Array]:
            # The decoder is compared with the image itself.
            return {"image": batch["image"], **named(self._staged.read(self._params, frozen, batch["image"]))}

        return feature_batches(self._target, frozen, source, read, views, run=run)

    def forward(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, flint.InterpreterOutput]:
        """What :func:`jaxpath.flint.make_post_hoc_objective` takes, of these batches."""
        return self._staged.rest(params, frozen, read_of(batch), keys)

    def _run(self, params: Params, frozen: Params, images: Array, keys: Array) -> Any:
        return flint.run_post_hoc(self._target, self._interpreter, params, frozen, images, keys)
