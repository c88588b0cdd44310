"""Trainings whose length is given in passes over the images."""

import dataclasses

from jaxpath import data
from jaxpath.runs.fitting import steps_of
from jaxpath.runs.options import GeneratorOptions


def with_epochs(options: GeneratorOptions, epochs: float | None, source: data.Source) -> GeneratorOptions:
    """``options`` with the steps that ``epochs`` passes over ``source`` take; None leaves their number."""
    if epochs is None:
        return options
    return dataclasses.replace(options, steps=steps_of(epochs, source, options.batch_size))
