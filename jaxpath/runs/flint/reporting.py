"""What a run of FLINT leaves behind, and the runs that follow a published recipe."""

import dataclasses
from pathlib import Path

import jax

from jaxpath import data, flint, targets
from jaxpath.files import write_arrays
from jaxpath.report.figures import Figure
from jaxpath.runs.classifiers import WEIGHTS, names_for
from jaxpath.runs.flint.evaluation import InterpreterEvaluation, evaluate_interpreter
from jaxpath.runs.flint.figures import plot_interpreter
from jaxpath.runs.flint.maximised import plot_maximised
from jaxpath.runs.flint.options import FlintOptions
from jaxpath.runs.flint.recipes import Published
from jaxpath.runs.flint.training import TrainedInterpreter, train_joint
from jaxpath.runs.pictures import save_figures
from jaxpath.runs.results import SPEED, write_results
from jaxpath.runs.run import Run, say
from jaxpath.runs.study import Study, check_data, target_options
from jaxpath.start_up import Launch

INTERPRETER = "interpreter.safetensors"
"""A trained interpreter in the folder of its run."""

_PRINTED = (
    *("interpreter_accuracy", "cns_1.5", "cns_5", "dead_attributes"),
    *("pathway_keeps", "random_channels_keep"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointRun(Launch):
    """A classifier and its interpreter, trained together by a published recipe.

    Attributes:
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    out: Path = Path("runs/flint")
    seed: int = 0
    flint: FlintOptions = dataclasses.field(default_factory=FlintOptions)


def run_joint(
    published: Published, train: data.Source, held_out: data.Source, options: FlintOptions, *, run: Run
) -> InterpreterEvaluation:
    """Trains a classifier with its interpreter as published but for ``options``, scores and reports both.

    Args:
        published: Classifier and recipe.
        train: The images to learn from.
        held_out: The images to score.
        options: What is changed of the recipe.
        run: Its folder, in which the classifier's weights are left as well, seed and configuration.
    """
    target = published.make_target(**target_options(train))
    check_data(target, train, held_out)
    trained = train_joint(target, train, published.recipe, options, run=run)
    if jax.process_index() == 0:
        names = names_for(target, train)
        targets.save_weights(target, trained.target_params, run.out / WEIGHTS, class_names=names)
    study = Study(target, trained.target_params, train, held_out)
    return report_interpreter(study, trained, options, run=run, maximisation=published.maximisation)


def report_interpreter(
    study: Study,
    trained: TrainedInterpreter,
    options: FlintOptions,
    *,
    run: Run,
    maximisation: flint.Maximisation = flint.MNIST_MAXIMISATION,
) -> InterpreterEvaluation:
    """Scores an interpreter on held-out images, and writes everything into the run's folder.

    Left are ``results.json``, :data:`INTERPRETER`, ``attributes.npz``, ``local_relevance.png``,
    ``conciseness.png``, ``global_relevance.png``, ``attribute_pathways.png`` and ``attributes.png``.

    Args:
        study: The classifier, with the parameters of ``trained``, and its images.
        trained: The interpreter.
        options: Those that it was trained with.
        run: The run.
        maximisation: How attributes are pictured, but for what ``options`` say.
    """
    say(f"evaluation: {len(study.held_out)} held-out images")
    evaluation = evaluate_interpreter(study, trained, options, seed=run.seed)
    if jax.process_index() == 0:
        flint.save_interpreter(
            trained.interpreter,
            trained.params,
            study.target,
            run.out / INTERPRETER,
            target_params=trained.target_params,
        )
        _write_attributes(run.out / "attributes.npz", evaluation)
    pictures: dict[str, Figure | None] = {**plot_interpreter(study, trained, evaluation)}
    if options.maximised_pairs:
        if options.maximised_variation is not None:
            maximisation = maximisation._replace(variation=options.maximised_variation)
        pictures["attributes.png"] = plot_maximised(
            study, trained, evaluation, most=options.maximised_pairs, maximisation=maximisation
        )
    save_figures(pictures, run=run)
    figures = {**evaluation.figures, **{name: getattr(trained.fit, name) for name in SPEED}}
    write_results(figures, run=run)
    for name in _PRINTED:
        say(f"  {name:>20} {figures[name]:.3f}")
    return evaluation


def _write_attributes(path: Path, evaluation: InterpreterEvaluation) -> None:
    """Every held-out image's interpretation, with the linear layer and the global relevance."""
    arrays = {
        **evaluation.held_out._asdict(),
        "head_kernel": evaluation.kernel,
        "global_relevance": evaluation.sample.relevance,
    }
    write_arrays(path, arrays)
