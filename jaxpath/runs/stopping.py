"""Generators whose training ends when they get no better on training images that are held out for that."""

import dataclasses
from pathlib import Path

import jax
from jax.experimental import multihost_utils

from jaxpath import data, gencnp, metrics, training
from jaxpath.metrics import MakeExplainer, Session
from jaxpath.runs.run import Run, say
from jaxpath.types import InputError, Params, Target

BEST = "best.safetensors"
"""The best generator so far, in the folder of its run while that has an early end."""


@dataclasses.dataclass(frozen=True)
class StoppingOptions:
    """When a training ends before its last step.

    Attributes:
        stop_early: Looks at held-out training images without a better one after which training ends; the best
            generator is kept. 0 trains all steps and holds nothing out.
        watch_share: Share of the training images that is held out for that, drawn by the seed.
        look_every: Steps between two looks.
    """

    stop_early: int = 0
    watch_share: float = 0.05
    look_every: int = 50

    def check(self) -> None:
        """Raises an error if a number makes no sense."""
        if self.stop_early < 0 or self.look_every < 1 or not 0 < self.watch_share < 1:
            raise InputError(
                f"--stop-early is {self.stop_early}, --look-every {self.look_every} and --watch-share "
                f"{self.watch_share}; expected 0 or more, 1 or more, and a share between 0 and 1"
            )


def hold_out(
    source: data.Source, options: StoppingOptions, *, seed: int
) -> tuple[data.Source, data.Source | None]:
    """The images to learn from, and those to look at; None if training does not end early."""
    if not options.stop_early:
        return source, None
    learned, watched = data.split(source, options.watch_share, seed)
    say(f"looked at, and not learned from: {len(watched)} of {len(source)} training images")
    return learned, watched


class BestGenerator:
    """The best parameters so far, in a file of the run's folder, so that a resumed run finds them.

    Args:
        target: The classifier.
        target_params: Its parameters.
        generator: The module.
        run: Its folder.
    """

    def __init__(self, target: Target, target_params: Params, generator: gencnp.Generator, run: Run) -> None:
        self._target, self._target_params, self._generator = target, target_params, generator
        self._path: Path = run.out / BEST

    def keep(self, params: Params) -> None:
        """Writes them."""
        if jax.process_index() == 0:
            gencnp.save_generator(
                self._generator, params, self._target, self._path, target_params=self._target_params
            )

    def read(self, like: Params) -> Params:
        """What was kept last, on every process; ``like`` gives the shapes."""
        if jax.process_index() == 0:
            like = gencnp.load_generator(self._path, self._target, params=self._target_params)[1]
        return multihost_utils.broadcast_one_to_all(like) if jax.process_count() > 1 else like


def make_stopping(
    session: Session,
    make: MakeExplainer,
    passes: metrics.Passes,
    best: BestGenerator,
    options: StoppingOptions,
) -> training.EarlyStopping:
    """Looks at held-out images by the confidence that they keep under their pathways at small densities.

    The training's loss would not do: the weight of sparsity in it changes from step to step.

    Args:
        session: The classifier.
        make: The generator as an explainer, of its parameters.
        passes: The held-out images.
        best: Where the best parameters are kept.
        options: How often, and how long without a better look.
    """
    measure = metrics.make_kept_confidence(session, make, passes)
    return training.EarlyStopping(
        measure,
        best.keep,
        every=options.look_every,
        patience=options.stop_early,
        say=lambda line: say(f"  {line}"),
    )
