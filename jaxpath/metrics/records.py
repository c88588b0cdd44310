"""What every metric works on: the per-image results of an explainer on a data set."""

from typing import NamedTuple

import numpy as np

from jaxpath import markup
from jaxpath.finite import check


class Records(NamedTuple):
    """What an explainer found for every image of a data set, in its order; on the host.

    Attributes:
        indices: [N_images] int, place in the data set: not all are there if some could not be read.
        labels: [N_images] int, negative where nobody has said the class.
        predicted: [N_images] int, class of the clean prediction.
        masked_predicted: [N_images] int, class of the prediction under the pathway.
        clean_confidence: [N_images], probability of the predicted class.
        masked_confidence: [N_images], the same under the pathway.
        dead_share: [N_images], share of open gates whose activation is 0 (all over the image, for a
            channel).
        masks: [N_images, N], bool, channels in forward order; at unit granularity a channel is open
            if any of its units is.
        unit_density: [N_images], fraction of open units; the fraction of open channels otherwise.
        unit_bits: [N_images, U / 8, rounded up] uint8, the masks of all U units as bits; [N_images, 0]
            at channel granularity.
    """

    indices: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    masked_predicted: np.ndarray
    clean_confidence: np.ndarray
    masked_confidence: np.ndarray
    dead_share: np.ndarray
    masks: np.ndarray
    unit_density: np.ndarray
    unit_bits: np.ndarray

    def _repr_html_(self) -> str:
        density = self.masks.mean(axis=1)
        accuracy = markup.percent((self.predicted == self.labels).mean()) if self.are_labelled else "unknown"
        rows = [
            ("accuracy of the target", accuracy),
            ("fidelity", markup.percent((self.masked_predicted == self.predicted).mean())),
            ("confidence, clean", f"{self.clean_confidence.mean():.3f}"),
            ("confidence, masked", f"{self.masked_confidence.mean():.3f}"),
            ("density", f"{markup.percent(density.mean())}, from {density.min():.3f} to {density.max():.3f}"),
        ]
        return markup.table(f"{len(self.labels)} explained images", ("metric", "mean"), rows)

    def only(self, rows: np.ndarray) -> "Records":
        """Some of the images, as a data set of their own: ``indices`` are their places in it.

        Args:
            rows: int [n].
        """
        return Records(*(values[rows] for values in self))._replace(indices=np.arange(len(rows)))

    @property
    def are_labelled(self) -> bool:
        """Whether every image has a label: without, there is no accuracy."""
        return bool((self.labels >= 0).all())

    @property
    def table(self) -> np.ndarray:
        """The gates of every image, ready to be put on another one by ``masked_predictions``."""
        return self.unit_bits if self.unit_bits.shape[1] else self.masks


class InsertionDeletion(NamedTuple):
    """Probability of each image's predicted class while neurons are opened or closed.

    Attributes:
        fractions: [F], rising.
        insertion: [N_images, F], with the best-scored fraction of the neurons open, the rest closed.
        deletion: [N_images, F], with the best-scored fraction closed, the rest open.
    """

    fractions: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray

    @property
    def insertion_area(self) -> np.ndarray:
        """Mean height of each image's insertion curve, [N_images]; high is good."""
        return self._area(self.insertion)

    @property
    def deletion_area(self) -> np.ndarray:
        """Mean height of each image's deletion curve, [N_images]; low is good."""
        return self._area(self.deletion)

    def _area(self, curves: np.ndarray) -> np.ndarray:
        """By the trapezoidal rule, over the range of the fractions."""
        check("probabilities of the curves", curves)
        return np.trapezoid(curves, self.fractions, axis=1) / (self.fractions[-1] - self.fractions[0])
