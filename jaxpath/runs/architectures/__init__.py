"""Two architectures that explain the same images, and what their pathways have in common."""

from jaxpath.runs.architectures.comparing import compare_architectures
from jaxpath.runs.architectures.likeness import compare_profiles, compare_saliency
from jaxpath.runs.architectures.models import Model, make_method, make_models, make_params
from jaxpath.runs.architectures.options import TRAINED, ArchitectureComparison
from jaxpath.runs.architectures.profiles import Profile, profile_model
from jaxpath.runs.architectures.showing import draw_architectures

__all__ = [
    "TRAINED",
    "ArchitectureComparison",
    "Model",
    "Profile",
    "compare_architectures",
    "compare_profiles",
    "compare_saliency",
    "draw_architectures",
    "make_method",
    "make_models",
    "make_params",
    "profile_model",
]
