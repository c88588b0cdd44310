"""GEN-CNP: pathways predicted by a generator (arXiv 2309.09887, our reading)."""

from jaxpath.gencnp.aims import Aim, Budget, Faithfulness, FixedWeight, Priced, Sparsity
from jaxpath.gencnp.daq import daq, straight_through
from jaxpath.gencnp.explainer import make_gencnp
from jaxpath.gencnp.files import knows_its_classifier, load_generator, save_generator
from jaxpath.gencnp.generator import Generator, GeneratorOutput, with_means
from jaxpath.gencnp.objective import ObjectiveOptions, init_sparsity, make_objective
from jaxpath.gencnp.reading import Reading, Slopes, read
from jaxpath.gencnp.warm_start import WarmStart, begin_with

__all__ = [
    "Aim",
    "Budget",
    "Faithfulness",
    "FixedWeight",
    "Generator",
    "GeneratorOutput",
    "ObjectiveOptions",
    "Priced",
    "Reading",
    "Slopes",
    "Sparsity",
    "WarmStart",
    "begin_with",
    "daq",
    "init_sparsity",
    "knows_its_classifier",
    "load_generator",
    "make_gencnp",
    "make_objective",
    "read",
    "save_generator",
    "straight_through",
    "with_means",
]
