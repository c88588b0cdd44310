"""Attention that learns from the maps of a frozen net, which are computed once per view of each image."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from jax import Array

from jaxpath import data, lap
from jaxpath.runs.features import Views, feature_batches
from jaxpath.runs.run import Run
from jaxpath.targets import Partition, join_params
from jaxpath.targets.objective import ScheduleState
from jaxpath.targets.stages import Staged, named, read_of
from jaxpath.types import Batch, Given, Params, Target


class Watching:
    """A LAP net whose sites hold what the net with ordinary pooling has there.

    Where a site lies between two places, the attention of the first then has no say in what the second sees,
    as with closed gates, and what the heads read of an image depends on the image only.

    Args:
        target: From :func:`jaxpath.lap.extend`.
        plain: The net that it extends.
        params: Of the LAP net.
        labels: From :func:`jaxpath.lap.trainable_labels`; only the heads may be trained.
    """

    def __init__(self, target: Target, plain: Target, params: Params, labels: Mapping[str, Any]) -> None:
        frozen = {place for place, label in flatten_dict(dict(labels["net"])).items() if label == "frozen"}
        statistics = {place for place in flatten_dict(dict(params)) if place[0] != "params"}
        places = frozenset({("params", *place) for place in frozen} | statistics)
        self._target, self._plain = target, plain
        self._params, self._partition = params, Partition(frozen=places)
        image = jax.ShapeDtypeStruct(target.preprocessing.shape, np.uint8)
        self._staged = Staged(self._run, image, name=f"the attention of {target.name}")

    def batches(self, source: data.Source, views: Views, *, run: Run) -> data.ArrayBatches:
        """Endless batches of what the heads read; see :func:`jaxpath.runs.features.feature_batches`."""

        def read(params: Params, batch: Batch) -> dict[str, Array]:
            return named(self._staged.read(*self._partition.separate(params), batch["image"]))

        return feature_batches(self._target, self._params, source, read, views, run=run)

    def forward(
        self, params: Mapping[str, Any], extra: ScheduleState, batch: Batch, keys: Array
    ) -> tuple[lap.LapOutput, Params]:
        """What :func:`jaxpath.lap.make_objective` takes, of these batches."""
        variables = lap.trained_params(params, extra)
        trained, frozen = self._partition.separate(variables)
        return self._staged.rest(trained, frozen, read_of(batch), keys), variables

    def _run(self, trained: Params, frozen: Params, images: Array, keys: Array) -> lap.LapOutput:
        del keys
        params = join_params(frozen, trained)
        features = self._plain.apply(lap.plain_weights(params), images).features
        held = {name: Given(values) for name, values in features.items()}
        # Maps of the sites would be kept for every image, and nothing reads them.
        return lap.read(self._target.apply(params, images, held))._replace(features={})
