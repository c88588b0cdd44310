"""Metrics against density, and insertion and deletion of neurons in the order of their scores."""

from collections.abc import Sequence

from jaxpath.metrics.detection import make_panel
from jaxpath.metrics.evaluating import evaluate_records
from jaxpath.metrics.explaining import explain_at_densities, explain_once
from jaxpath.metrics.metric import at_densities
from jaxpath.metrics.records import InsertionDeletion
from jaxpath.metrics.session import Method, Passes, Session

DENSITIES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)

FRACTIONS = tuple(step / 20 for step in range(21))


def density_curve(
    session: Session, method: Method, passes: Passes, *, densities: Sequence[float] = DENSITIES
) -> list[dict[str, float]]:
    """Every method at the same densities: its scores, cut exactly.

    Each image is explained once and run under all of its masks while its scores are on the device;
    pathways are put on other pictures in one more pass per density, with one compiled program for all.

    Args:
        session: The classifier.
        method: The explainer; its seed is also that of the choice of images of other classes.
        passes: The data set.
        densities: Fractions of neurons (units, at unit granularity) to open.

    Returns:
        One row per density: ``density``, as requested, and the metrics of
        :data:`~jaxpath.metrics.METRICS` that are reported ``at_densities``.
    """
    rows = []
    cuts = explain_at_densities(session, method, passes, densities=densities)
    panel = make_panel(session, passes, cuts[0].indices)
    for density, records in zip(densities, cuts, strict=True):
        figures = evaluate_records(session, records, passes, seed=method.seed, panel=panel)
        rows.append({"density": float(density), **at_densities(figures)})
    return rows


def insertion_deletion(
    session: Session, method: Method, passes: Passes, *, fractions: Sequence[float] = FRACTIONS
) -> InsertionDeletion:
    """Opens and closes neurons in the order of their scores, over all sites at once.

    The neurons' version of the pixels' test of Petsiuk et al. 2018 (RISE, section 3.3).

    Args:
        session: The classifier.
        method: The explainer.
        passes: The data set.
        fractions: Shares of the neurons, rising from 0 or more to 1 or less.

    Raises:
        InputError: The fractions are fewer than two, do not rise, or leave [0, 1].
    """
    _, curves = explain_once(session, method, passes, fractions=fractions)
    assert curves is not None
    return curves
