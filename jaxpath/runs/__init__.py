"""Whole runs from Python: data, training, evaluation and results, as the experiments and commands do them."""

from typing import TYPE_CHECKING

from jaxpath.lazy import attributes_of

if TYPE_CHECKING:
    from jaxpath.runs import discover, flint, lap
    from jaxpath.runs.classifiers import WEIGHTS, Classified, classifier_accuracy, classify, train_classifier
    from jaxpath.runs.evaluation import Evaluation, evaluate_generator, evaluate_method
    from jaxpath.runs.generators import (
        GENERATOR,
        TrainedGenerator,
        generator_file,
        init_generator,
        load_generator,
        make_generator,
        make_generator_step,
        train_generator,
    )
    from jaxpath.runs.manifest import as_json, environment
    from jaxpath.runs.nets import Net, load_net, preprocessing_facts
    from jaxpath.runs.objective_options import ObjectiveFlags
    from jaxpath.runs.options import ClassifierOptions, DataOptions, GeneratorOptions
    from jaxpath.runs.own_targets import open_own_target
    from jaxpath.runs.pictures import read_pictures, save_figures
    from jaxpath.runs.results import report_generator, write_results
    from jaxpath.runs.run import Run, as_config, begin, say, warn
    from jaxpath.runs.schedules import steps_of, warmup_cosine
    from jaxpath.runs.start_options import StartOptions
    from jaxpath.runs.stopping import StoppingOptions
    from jaxpath.runs.study import (
        Study,
        check_data,
        known_by,
        make_study,
        open_data,
        open_part,
        open_session,
        target_options,
    )
    from jaxpath.runs.weights_options import PreprocessingOptions, WeightsOptions
    from jaxpath.runs.whole_runs import (
        Cifar10,
        Digits,
        GeneratorRun,
        Imagenet,
        TargetRun,
        open_study,
        run_digits,
        run_generator,
        run_target,
    )
    from jaxpath.start_up import Launch, main

__getattr__ = attributes_of(__name__)

__all__ = [
    "GENERATOR",
    "WEIGHTS",
    "Cifar10",
    "Classified",
    "ClassifierOptions",
    "DataOptions",
    "Digits",
    "Evaluation",
    "GeneratorOptions",
    "GeneratorRun",
    "Imagenet",
    "Launch",
    "Net",
    "ObjectiveFlags",
    "PreprocessingOptions",
    "Run",
    "StartOptions",
    "StoppingOptions",
    "Study",
    "TargetRun",
    "TrainedGenerator",
    "WeightsOptions",
    "as_config",
    "as_json",
    "begin",
    "check_data",
    "classifier_accuracy",
    "classify",
    "discover",
    "environment",
    "evaluate_generator",
    "evaluate_method",
    "flint",
    "generator_file",
    "init_generator",
    "known_by",
    "lap",
    "load_generator",
    "load_net",
    "main",
    "make_generator",
    "make_generator_step",
    "make_study",
    "open_data",
    "open_own_target",
    "open_part",
    "open_session",
    "open_study",
    "preprocessing_facts",
    "read_pictures",
    "report_generator",
    "run_digits",
    "run_generator",
    "run_target",
    "save_figures",
    "say",
    "steps_of",
    "target_options",
    "train_classifier",
    "train_generator",
    "warmup_cosine",
    "warn",
    "write_results",
]
