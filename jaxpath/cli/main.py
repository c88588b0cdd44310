"""Which command was asked for."""

import dataclasses
import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Union

import tyro

from jaxpath import __version__
from jaxpath.errors import InputError
from jaxpath.start_up import Command, experiment, parse, settled, start

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


def _on_pictures(name: str, module: str) -> Command:
    """A command of ``jaxpath.cli.commands``: what runs it is loaded when its options have been checked."""
    from jaxpath.cli import commands

    def run(options: Any) -> None:
        importlib.import_module(module).run(options)

    options = getattr(commands, name)
    return Command(options, run, _about(options), loading=lambda _: _say("loading JAX and the classifier"))


def _say(text: str) -> None:
    print(text, flush=True)


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
        "explain": Entry(
            "Explain pictures: one HTML report.", partial(_on_pictures, "Explain", "jaxpath.cli.explain")
        ),
        "dataset-report": Entry(
            "Explain a whole data set: one HTML page.",
            partial(_on_pictures, "DataSetReport", "jaxpath.cli.data_set"),
        ),
        "class-pathway": Entry(
            "Learn the pathways of classes; put them on new pictures.",
            partial(_on_pictures, "LearnClassPathways", "jaxpath.cli.class_pathway"),
        ),
        "dissect": Entry(
            "Name channels in words, for the reports of the others.",
            partial(_on_pictures, "Dissect", "jaxpath.cli.dissect"),
        ),
        "channel": Entry(
            "Show what one channel does: one HTML page.",
            partial(_on_pictures, "Channel", "jaxpath.cli.channel"),
        ),
        "compare-pictures": Entry(
            "Set two pictures, or two classifiers on one, side by side.",
            partial(_on_pictures, "ComparePictures", "jaxpath.cli.compare_pictures"),
        ),
        "app": Entry(
            "Try pathways on a page in the browser.", partial(_on_pictures, "App", "jaxpath.app.command")
        ),
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
    if words[:1] == ["--version"]:
        _say(f"{PROGRAM} {__version__}")
        return
    node: Entry | Group = COMMANDS
    path = [PROGRAM]
    while isinstance(node, Group) and words and words[0] in node.entries:
        path.append(words[0])
        node = node.entries[words.pop(0)]
    if isinstance(node, Entry):
        start(node.load(), prog=" ".join(path), arguments=words)
    elif words[:1] in (["--help"], ["-h"]):
        _say(_help(node, path))
    elif words and not words[0].startswith("-"):
        known = ", ".join(node.entries)
        near = difflib.get_close_matches(words[0], node.entries, n=1)
        meant = f", perhaps {near[0]}" if near else ""
        raise InputError(f"there is no command {words[0]!r}{meant}; choose one of {known}")
    else:
        # Completion or a mistake: only these need every command's options.
        parse(_options(node), prog=" ".join(path), arguments=words, description=_overview(node))


def _help(group: Group, path: list[str]) -> str:
    """What ``--help`` says of a group of commands."""
    width = max(map(len, group.entries))
    rows = [f"  {name:{width}}  {node.summary}" for name, node in group.entries.items()]
    options = "  --help     Print this." + ("" if len(path) > 1 else "\n  --version  Print the version.")
    return "\n".join(
        [f"usage: {' '.join(path)} COMMAND [OPTIONS]", "", _overview(group), "", *rows, "", options]
    )


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
