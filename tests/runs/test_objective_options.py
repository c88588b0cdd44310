"""The objective on a command line: the same options as the library's, flat, and none silently ignored."""

import dataclasses

import pytest
import tyro

from jaxpath import runs, targets
from jaxpath.gencnp import Budget, Faithfulness, FixedWeight, ObjectiveOptions
from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.runs.whole_runs import Imagenet
from jaxpath.start_up import CONFIG, check_options
from jaxpath.types import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """An experiment's."""

    objective: ObjectiveFlags = dataclasses.field(default_factory=ObjectiveFlags)


def parse(line: str) -> ObjectiveOptions:
    options = tyro.cli(Options, args=line.split(), config=CONFIG)
    check_options(options)
    return options.objective.build()


def test_without_options_it_is_the_default_of_the_library():
    assert parse("") == ObjectiveOptions()


@pytest.mark.parametrize(
    ("line", "aim"),
    [
        ("--faithfulness 0.1", Faithfulness(0.1)),
        ("--sparsity-weight 2 --dual-rate 0.2", Faithfulness(initial_weight=2.0, dual_rate=0.2)),
        ("--decision-share 0.5", Faithfulness(decision_share=0.5)),
        ("--random-density-share 0", Faithfulness(random_density_share=0.0)),
        ("--faithfulness None", FixedWeight()),
        ("--faithfulness None --sparsity-weight 0.5", FixedWeight(0.5)),
        (
            "--faithfulness None --warmup-steps 3 --min-density 0.1 --temperature 2",
            FixedWeight(warmup_steps=3, min_density=0.1, temperature=2.0),
        ),
        ("--budget 0.5", Budget(0.5)),
        ("--budget 0.5 --budget-steps 0", Budget(0.5, 0)),
    ],
)
def test_the_command_line_asks_for_one_aim(line, aim):
    assert parse(line) == ObjectiveOptions(aim)


@pytest.mark.parametrize(
    ("line", "aim"),
    [
        ("", FixedWeight(decision_share=0.5)),
        ("--sparsity-weight 2", FixedWeight(2.0, decision_share=0.5)),
        ("--decision-share 0 --warmup-steps 9", FixedWeight(warmup_steps=9)),
        ("--faithfulness 0.1", Faithfulness(0.1, decision_share=0.5)),
        ("--budget 0.5", Budget(0.5)),
    ],
)
def test_the_defaults_for_photographs_exclude_no_other_aim(line, aim):
    run = tyro.cli(Imagenet, args=["--data", "digits", *line.split()], config=CONFIG)
    assert run.generator.objective.build() == ObjectiveOptions(aim)


def test_the_other_options_go_with_every_aim():
    flags = "--class-weight 0.5 --leakage-weight 2 --rematerialize --quantizer straight_through"
    for line, aim in (
        ("", Faithfulness()),
        ("--faithfulness None", FixedWeight()),
        ("--budget 1", Budget(1)),
    ):
        assert parse(f"{line} {flags}") == ObjectiveOptions(aim, 0.5, 2.0, True, "straight_through")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("--budget 0.5 --dual-rate 0.1", ["--dual-rate", "--budget"]),
        ("--budget 0.5 --faithfulness 0.03", ["--faithfulness", "--budget"]),
        ("--budget 0.5 --faithfulness None", ["--faithfulness", "--budget"]),
        ("--budget 0.5 --sparsity-weight 1", ["--sparsity-weight", "--budget"]),
        ("--budget 0.5 --warmup-steps 9", ["--warmup-steps", "--budget", "--faithfulness None"]),
        ("--budget 0.5 --temperature 2", ["--temperature", "--budget"]),
        ("--budget 0.5 --random-density-share 0", ["--random-density-share", "--budget"]),
        ("--budget 0.5 --min-density 0.1", ["--min-density", "--budget"]),
        ("--budget-steps 9", ["--budget-steps", "--faithfulness", "--budget"]),
        ("--warmup-steps 9", ["--warmup-steps", "--faithfulness None"]),
        ("--faithfulness None --dual-rate 0.1", ["--dual-rate", "--faithfulness None"]),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused_by_name(line, names):
    with pytest.raises(InputError) as error:
        parse(line)
    assert "has no effect with" in str(error.value)
    for name in names:
        assert name in str(error.value)


@pytest.mark.parametrize("aim", ["", "--faithfulness None", "--budget 0.5"])
def test_what_is_recorded_of_a_run_are_the_values_that_count(aim):
    flags = tyro.cli(Options, args=aim.split(), config=CONFIG).objective
    recorded = flags.recorded()
    assert list(recorded) == [field.name for field in dataclasses.fields(ObjectiveFlags)]
    expected = {
        "": {"faithfulness": 0.03, "sparsity_weight": 1.0, "warmup_steps": None, "min_density": 0.02},
        "--faithfulness None": {"faithfulness": None, "sparsity_weight": 1.0, "warmup_steps": 200},
        "--budget 0.5": {"faithfulness": None, "sparsity_weight": None, "budget": 0.5, "budget_steps": 600},
    }[aim]
    assert {name: recorded[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("taylor", "ablations", "cuts", "tried_with"),
    [
        (True, ("zero",), [0.4, 0.42, 0.44, 0.46, 0.48, 0.5], ("zero",)),
        (True, ("mean", "zero"), [0.42, 0.46, 0.5], ("zero", "mean")),
        (False, ("zero", "mean"), [0.5], ("zero",)),
        (True, ("zero", "mean", "interchange"), [0.5], ("zero",)),
    ],
)
def test_densities_are_tried_under_the_constant_fills_of_the_training(taylor, ablations, cuts, tried_with):
    target = targets.resnet8(image_size=8, channels=1)
    objective = ObjectiveFlags(budget=0.5, ablations=ablations)
    generator = runs.make_generator(target, runs.GeneratorOptions(taylor=taylor, objective=objective))
    assert [round(cut, 3) for cut in generator.cuts] == cuts and generator.tried_with == tried_with
