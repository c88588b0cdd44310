"""How long a training is, and how its rate rises and falls."""

import dataclasses

import optax

from jaxpath import data
from jaxpath.runs.options import GeneratorOptions


def warmup_cosine(peak: float, num_steps: int, *, warmup: float = 0.1) -> optax.Schedule:
    """A rate that rises from 0 to ``peak`` over a share of the steps and falls by a cosine to 0."""
    return optax.warmup_cosine_decay_schedule(0.0, peak, max(1, int(num_steps * warmup)), max(2, num_steps))


def steps_of(epochs: float, source: data.Source, batch_size: int) -> int:
    """Steps that ``epochs`` passes over ``source`` take, at least one."""
    return max(1, round(epochs * len(source) / batch_size))


def with_epochs(options: GeneratorOptions, epochs: float | None, source: data.Source) -> GeneratorOptions:
    """``options`` with the steps that ``epochs`` passes over ``source`` take; None leaves their number."""
    if epochs is None:
        return options
    return dataclasses.replace(options, steps=steps_of(epochs, source, options.batch_size))
