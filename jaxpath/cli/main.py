"""Which command was asked for."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Union

import tyro

from jaxpath.start_up import CONFIG, Command, experiment, settled, start

PROGRAM = "jaxpath"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A command: one line about it, and how it is loaded once it is asked for."""

    summary: str
    load: Callable[[], Command]


@dataclasses.dataclass(frozen=True)
class Group:
    """Commands of one kind: one line about them, and their names."""

    summary: str
    entries: Mapping[str, "Entry | Group"]


def _explain() -> Command:
    from jaxpath.cli.explain import Explain, run

    return Command(Explain, run, _about(Explain))


def _data_set() -> Command:
    from jaxpath.cli.data_set import DataSetReport, run

    return Command(DataSetReport, run, _about(DataSetReport))


def _class_pathway() -> Command:
    from jaxpath.cli.class_pathway import LearnClassPathways, run

    return Command(LearnClassPathways, run, _about(LearnClassPathways))


def _dissect() -> Command:
    from jaxpath.cli.dissect import Dissect, run

    return Command(Dissect, run, _about(Dissect))


def _compare() -> Command:
    from jaxpath.runs.comparison import Comparison, run_comparison

    return experiment(run_comparison, Comparison, _about(Comparison))


def _train(name: str) -> Command:
    from jaxpath import runs

    started: dict[str, tuple[Callable[[Any], Any], type[runs.Launch]]] = {
        "imagenet": (runs.run_generator, runs.Imagenet),
        "cifar10": (runs.run_generator, runs.Cifar10),
        "digits": (runs.run_digits, runs.Digits),
        "target": (runs.run_target, runs.TargetRun),
    }
    run, options = started[name]
    return experiment(run, options, _about(options))


def _about(options: type) -> str:
    """A docstring without its list of attributes, which tyro shows beside the options."""
    return inspect.cleandoc(options.__doc__ or "").partition("\nAttributes:")[0].strip()


COMMANDS = Group(
    "Explains trained image classifiers by neural pathways: the channels that carry a decision.",
    {
        "explain": Entry("Explain pictures: one HTML report.", _explain),
        "dataset-report": Entry("Explain a whole data set: one HTML page.", _data_set),
        "class-pathway": Entry("Learn the pathways of classes; put them on new pictures.", _class_pathway),
        "dissect": Entry("Name channels in words, for the reports of the others.", _dissect),
        "compare": Entry("Compare explainers at equal densities.", _compare),
        "train": Group(
            "Train a generator of pathways, or a classifier.",
            {
                "imagenet": Entry("A generator, for photographs.", partial(_train, "imagenet")),
                "cifar10": Entry("A generator, for CIFAR-10.", partial(_train, "cifar10")),
                "digits": Entry(
                    "The demonstration: a classifier of digits and a generator.",
                    partial(_train, "digits"),
                ),
                "target": Entry("A classifier from scratch.", partial(_train, "target")),
            },
        ),
    },
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first words name; says which there are if they name none.

    Args:
        arguments: The words after ``jaxpath``; None takes this process's.
    """
    with settled():
        _main(list(sys.argv[1:] if arguments is None else arguments))


def _main(words: list[str]) -> None:
    node: Entry | Group = COMMANDS
    path = [PROGRAM]
    while isinstance(node, Group) and words and words[0] in node.entries:
        path.append(words[0])
        node = node.entries[words.pop(0)]
    if isinstance(node, Entry):
        start(node.load(), prog=" ".join(path), arguments=words)
    else:
        # Help, completion or a mistake: only these need every command's options.
        tyro.cli(_options(node), prog=" ".join(path), args=words, description=_overview(node), config=CONFIG)


def _overview(group: Group) -> str:
    return f"{group.summary}\n\nEach command explains its options: {PROGRAM} COMMAND --help."


def _options(group: Group) -> Any:
    """All commands of a group as one type for tyro."""
    members: list[Any] = []
    for name, node in group.entries.items():
        if isinstance(node, Entry):
            options: Any = node.load().options
        else:
            inner: Any = tyro.conf.OmitSubcommandPrefixes
            options = dataclasses.make_dataclass(name.capitalize(), [("command", inner[_options(node)])])
        members.append(Annotated[options, tyro.conf.subcommand(name, description=node.summary)])
    return Union[tuple(members)]  # noqa: UP007
