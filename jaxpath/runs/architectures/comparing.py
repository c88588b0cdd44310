"""From options to ``results.json`` and the figure of a comparison of two architectures."""

from typing import Any

import jax

from jaxpath import data
from jaxpath.runs.architectures.likeness import compare_profiles
from jaxpath.runs.architectures.models import make_models, make_params
from jaxpath.runs.architectures.options import ArchitectureComparison
from jaxpath.runs.architectures.profiles import profile_model
from jaxpath.runs.architectures.showing import draw_architectures, print_table
from jaxpath.runs.nets import Net
from jaxpath.runs.results import write_results
from jaxpath.runs.run import begin
from jaxpath.runs.study import Study, fit_data, open_data, with_boxes_of


def compare_architectures(options: ArchitectureComparison) -> dict[str, Any]:
    """Trains or loads two classifiers, explains the same images by both, and compares their pathways.

    Left are ``results.json`` and ``architectures.png``, and in one folder per model ``pathways.npz`` and what
    was trained.

    Returns:
        The figures: ``models`` by name, ``comparison``, and ``num_images``.

    Raises:
        InputError: Data, a model or weights cannot be opened, or do not fit each other.
    """
    run = begin(options)
    train, held_out = _open_images(options)
    models = make_models(options, train)
    names = next((model.class_names for model in models if model.class_names), ())
    train, held_out = (
        fit_data(Net(models[0].target, models[0].params, names), source) for source in (train, held_out)
    )
    # Of both, before a generator is trained: a file that is missing is said at once.
    studies = [
        with_boxes_of(Study(model.target, make_params(model, train, options), train, held_out), options.boxes)
        for model in models
    ]
    profiles = [profile_model(*pair, options) for pair in zip(models, studies, strict=True)]
    comparison = compare_profiles(*profiles, seed=options.seed)
    if jax.process_index() == 0:
        draw_architectures(
            options.out / "architectures.png",
            profiles,
            held_out,
            models[0].target,
            correlation=comparison["iou_correlation"],
            show_images=options.show_images,
        )
    print_table(profiles, comparison)
    figures = {
        "models": {profile.name: profile.figures for profile in profiles},
        "comparison": comparison,
        "num_images": len(profiles[0].records.labels),
        "warnings": [warning for profile in profiles for warning in profile.figures["warnings"]],
    }
    write_results(figures, run=run)
    return figures


def _open_images(options: ArchitectureComparison) -> tuple[data.Source, data.Source]:
    """The images to learn from and the images to explain."""
    train, held_out = open_data(options, seed=options.seed)
    if options.images is not None:
        held_out = data.draw(held_out, options.images, seed=options.seed)
    return train, held_out
