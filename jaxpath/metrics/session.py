"""The two bundles that measurements take: a frozen classifier ready to run, and a way to explain it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jax.sharding import Mesh

from jaxpath.fills import Fill
from jaxpath.types import Explainer, HostBatch, Params, Target

Passes = Callable[[], Iterable[HostBatch]]
"""Starts one pass over a data set per call, always in the same order: its batches."""

MakeExplainer = Callable[[Any], Explainer]
"""``explainer_params -> Explainer``, called while the step is traced: trained parameters are an argument
of the program, never part of it."""

Watch = Callable[[str, int, Iterable[Any]], Iterable[Any]]
"""``watch(title, total, batches)`` gives the batches back and may show how far they are."""


def unwatched(title: str, total: int, batches: Iterable[Any]) -> Iterable[Any]:
    """Shows nothing."""
    del title, total
    return batches


class Session(NamedTuple):
    """A frozen classifier and where it runs: the first argument of every measurement.

    Attributes:
        target: The classifier.
        params: Its parameters.
        mesh: The devices.
        batch_size: Images at a time over all devices, a multiple of their number: one size for everything,
            so that each program is compiled once.
        fill: What closed neurons hold, such as :func:`~jaxpath.metrics.make_references` gives; by default 0.
        watch: Told about every pass, such as to draw a progress bar.
    """

    target: Target
    params: Params
    mesh: Mesh
    batch_size: int
    fill: Fill = Fill()
    watch: Watch = unwatched

    def fitting(self, count: int) -> "Session":
        """The same with as many batches for ``count`` images and as little padding as can be.

        A padded image takes as long as any other, but another size is compiled once more.
        """
        count, devices = max(count, 1), self.mesh.size
        batches = -(-count // self.batch_size)
        return self._replace(batch_size=-(-count // (batches * devices)) * devices)


class Method(NamedTuple):
    """How pathways are found.

    Attributes:
        name: What to call it, such as ``"taylor_signed at density 0.2"``.
        make: ``explainer_params -> Explainer``.
        params: Of a trained explainer; ``{}`` if it has none.
        seed: Of explainers that draw at random.
        slow: Whether it takes tens or hundreds of passes per image; comparisons and references give it fewer.
    """

    name: str
    make: MakeExplainer
    params: Any
    seed: int = 0
    slow: bool = False

    @classmethod
    def of(cls, name: str, explain: Explainer, *, seed: int = 0) -> "Method":
        """The method of an explainer that has no parameters."""
        return cls(name, lambda _: explain, {}, seed)
