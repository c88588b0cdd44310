"""The explainers of a comparison: baselines, trained generators, and searches that start from these."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxpath import explainers, gencnp
from jaxpath.fills import References
from jaxpath.metrics import Method
from jaxpath.runs.comparison.options import Comparison
from jaxpath.runs.generators import load_generator
from jaxpath.types import Explainer, InputError, Params, Target

REFINED = ", refined"
"""Follows a generator's name in that of the search that starts from its scores."""


class Entry(NamedTuple):
    """One explainer to compare; entries of one name are runs of it with different seeds.

    Attributes:
        method: The explainer, whose scores are cut at every density.
        natural: Of a generator, the explainer with masks at a density of its own for every image.
        contrastive: Whether the method's parameters are reference pictures, which are given later.
    """

    method: Method
    natural: Method | None = None
    contrastive: bool = False

    def given(self, references: References | None) -> "Entry":
        """The entry with reference pictures where its method takes them."""
        return self._replace(method=self.method._replace(params=references)) if self.contrastive else self

    @property
    def name(self) -> str:
        """Of the explainer."""
        return self.method.name

    @property
    def slow(self) -> bool:
        """Whether the explainer is so slow that it takes a few images only."""
        return self.method.slow


def make_entries(target: Target, params: Params, options: Comparison) -> list[Entry]:
    """The baselines, then the trained generators, then the search that starts from the first of each name.

    Raises:
        InputError: A baseline is unknown, or a generator cannot be read, is one for another target, or makes
            gates of another granularity.
    """
    generators = list(_generators(target, params, options))
    return [*_baselines(target, options), *generators, *_refined(target, generators, options)]


def _baselines(target: Target, options: Comparison) -> Iterator[Entry]:
    shared = {"density": min(options.densities), "granularity": options.granularity}
    for name in options.explainers:
        explain = explainers.make_explainer(name, target, **shared)
        method, baseline = Method.of(name, explain, seed=options.seed), explainers.BASELINES[name]
        if baseline.contrastive:

            def make(references: Any, baseline: explainers.Baseline = baseline) -> Explainer:
                return baseline.make(target, references=references, **shared)

            method = method._replace(make=make)
        yield Entry(method._replace(slow=baseline.slow), contrastive=baseline.contrastive)


def _generators(target: Target, params: Params, options: Comparison) -> Iterator[Entry]:
    for text in options.generators:
        name, path = name_and_path(text)
        generator, weights, *_ = load_generator(path, target, params=params)
        if generator.granularity != options.granularity:
            raise InputError(
                f"the generator {name!r} makes {generator.granularity} gates, but the comparison is of "
                f"{options.granularity} gates; set --granularity {generator.granularity}"
            )
        cut = _maker(target, generator, density=min(options.densities))
        natural = _maker(target, generator, density=None)
        yield Entry(
            Method(name, cut, weights, options.seed), natural=Method(name, natural, weights, options.seed)
        )


def _refined(target: Target, generators: Sequence[Entry], options: Comparison) -> Iterator[Entry]:
    if not options.refine_steps:
        return
    first = {entry.name: entry.method for entry in reversed(generators)}
    for name, method in reversed(first.items()):

        def make(weights: Params, method: Method = method) -> Explainer:
            return explainers.make_refined(
                target,
                method.make(weights),
                density=min(options.densities),
                granularity=options.granularity,
                steps=options.refine_steps,
            )

        yield Entry(Method(name + REFINED, make, method.params, options.seed, slow=True))


def _maker(
    target: Target, generator: gencnp.Generator, *, density: float | None
) -> Callable[[Params], Explainer]:
    return lambda weights: gencnp.make_gencnp(target, generator, weights, density=density)


def name_and_path(text: str) -> tuple[str, str]:
    """The parts of NAME:FILE.

    Raises:
        InputError: There are not two, or a baseline has the name.
    """
    name, separator, path = text.partition(":")
    if not separator or not name or name in explainers.names():
        raise InputError(
            f"--generators got {text!r}; expected NAME:FILE with a name that no baseline has, such as "
            "gencnp:runs/cifar10/generator.safetensors"
        )
    return name, path
