"""What README and docs/ show works: Python is run page by page, commands are parsed by their programs."""

import configparser
import contextlib
import io
import re
import runpy
import shlex
import subprocess
import unittest.mock
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
import tyro

from jaxpath import gencnp, targets
from jaxpath.cli.main import COMMANDS, Entry, Group
from jaxpath.start_up import CONFIG

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "shell", "text", "yaml"}
ELSEWHERE = {"docker", "gcloud", "srun", "prepare/bin/pip", "prepare/bin/python", "~/venv/bin/pip"}
"""Programs that are not ours: only their syntax is checked."""


AFTERWARDS = {
    # The first explainer keeps the class, and is a switch: what the README says of it.
    "README.md": lambda names: (
        (names["alone"] == names["said"]).mean() > 0.9 and (names["swapped"] == names["said"]).mean() > 0.9
    ),
    "docs/from-python.md": lambda names: (
        names["evaluation"].figures["target_accuracy"] > 0.9 and names["evaluation"].figures["fidelity"] > 0.9
    ),
}
"""Page -> what must hold of its names when its code has run."""


class Block(NamedTuple):
    """A fenced block and the number of its first line."""

    language: str
    code: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    assert len(fences) % 2 == 0, f"{page}: a fence is not closed"
    for first, last in zip(fences[::2], fences[1::2], strict=True):
        yield Block(lines[first][3:], "\n".join(lines[first + 1 : last]), first + 2)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if any(block.language == language for block in blocks(page))]


def test_the_readme_takes_ten_lines_besides_imports_and_prints():
    (script,) = (block for block in blocks(ROOT / "README.md") if block.language == "python")
    lines = [line for line in script.code.splitlines() if line and not re.match("import|from|print", line)]
    assert len(lines) == 10


def test_a_generator_is_trained_from_python_in_25_lines_without_an_experiment():
    script = next(blocks(ROOT / "docs" / "from-python.md"))
    assert "train_generator(" in script.code and "experiments" not in script.code
    assert len(script.code.splitlines()) <= 25


@pytest.fixture(scope="module")
def finished_demo(tmp_path_factory) -> Path:
    """A folder in which ``make demo`` seems to have run; nothing in it was trained."""
    folder = tmp_path_factory.mktemp("documentation")
    target = targets.resnet8(image_size=8, channels=1)
    shapes = jax.eval_shape(target.init, jax.random.key(0))
    params = drawn(shapes)
    targets.save_weights(target, params, folder / "runs" / "digits" / "target" / "weights.safetensors")
    generator = gencnp.Generator(target.sites, target.num_classes, width=8, grid=1)
    images = jax.ShapeDtypeStruct((1, 8, 8, 1), "uint8")
    _, reading = jax.eval_shape(partial(gencnp.read, target), shapes, images)
    weights = drawn(jax.eval_shape(generator.init, jax.random.key(1), reading))
    gencnp.save_generator(
        generator,
        weights,
        target,
        folder / "runs" / "digits" / "generator.safetensors",
        target_params=params,
    )
    return folder


def drawn(shapes):
    """Arrays of these shapes, without a program that would have to be compiled."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.uniform(-0.1 * (leaf.ndim > 1), 0.1, leaf.shape).astype("f4"), shapes
    )


TRAINING = {"docs/from-python.md", "docs/lap.md"}
"""Pages whose examples train for half a minute."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if name(page) in TRAINING else [], id=name(page))
        for page in with_blocks("python")
    ],
)
def test_python_of(page, finished_demo, tmp_path, monkeypatch):
    # The README needs no earlier run.
    monkeypatch.chdir(tmp_path if page.name == "README.md" else finished_demo)
    namespace = {"__name__": "__documentation__"}
    for block in blocks(page):
        if block.language == "python":
            # Empty lines in front, so that a traceback names the page's own line.
            source = "\n" * (block.line - 1) + block.code
            exec(compile(source, name(page), "exec"), namespace)
    if name(page) in AFTERWARDS:
        assert AFTERWARDS[name(page)](namespace)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page):
    """Then one of the tests here looks at it: an indented block, or one of no language, would escape."""
    text = page.read_text(encoding="utf-8")
    assert {block.language for block in blocks(page)} <= LANGUAGES
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\n\n( {4}\S.*)", prose) == []


@pytest.mark.parametrize("page", with_blocks("shell"), ids=name)
def test_shell_of(page):
    for block in blocks(page):
        if block.language == "shell":
            checked = subprocess.run(["bash", "-n"], input=block.code, text=True, capture_output=True)
            assert checked.returncode == 0, checked.stderr
            for command in commands(block.code):
                check_command(command)


def commands(code: str) -> Iterator[str]:
    """The commands of a block, one line each, without here-documents and comments."""
    code = re.sub(r"<<'(\w+)'.*?^\1$", "", code.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    for line in re.sub(r"'\n\s*", "' ", code).splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def check_command(command: str) -> None:
    words = shlex.split(command, comments=True)
    while re.match(r"[A-Z_]+=", words[0]):  # a variable of the environment
        words = words[1:]
    if words[0] == "make":
        assert words[1] in re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    elif words[0].startswith("~/venv/bin/") and words[0] not in ELSEWHERE:
        check_command(shlex.join([Path(words[0]).name, *words[1:]]))
    elif words[:2] == ["python", "-c"]:
        compile(words[2], "command", "exec")
    elif words[:2] == ["pip", "install"] or words[:3] == ["python", "-m", "venv"]:
        return
    elif words[0] == "python":
        check_program(words[1:])
    elif words[0] == "jaxpath":
        check_program(words)
    else:
        assert words[0] in ELSEWHERE, f"no test knows {words[0]!r}"


def inline_programs(page: Path) -> list[list[str]]:
    """Commands within a line of text or a cell of a table, and in what other programs are told to start."""
    # A command may go on in the next line.
    text = re.sub(r"[ \\]*\n +--", " --", page.read_text(encoding="utf-8")).replace("\n--", " --")
    mentions = re.findall(r"(`python |)(experiments/\w+\.py[^`'\n]*)([`'\n])", text)
    # Without "python" it is a mention, and elsewhere than in backticks variables stand in for values.
    scripts = [command if before and end == "`" else f"{command} ..." for before, command, end in mentions]
    commands = re.findall(r"`(jaxpath [a-z][^`\n]*)`", text)
    return [shlex.split(command, comments=True) for command in scripts + commands]


@pytest.mark.parametrize("page", [page for page in PAGES if inline_programs(page)], ids=name)
def test_programs_that_are_named_take_the_options_that_are_shown(page):
    for words in inline_programs(page):
        check_program(words)


def check_program(words: list[str]) -> None:
    """The script or command exists, and its own parser takes the options; ``...`` stands for some of them."""
    options, arguments = find_options(words)
    if arguments in ([], ["..."]):
        return
    known = known_options(options)
    used = {word.split("=")[0] for word in arguments if word.startswith("--")}
    assert used <= known, f"{words[0]} knows no {sorted(used - known)}"
    if "..." not in arguments:
        parse(options, arguments)


def find_options(words: list[str]) -> tuple[Any, list[str]]:
    """What a script or a command of jaxpath parses into, and the words that it would parse."""
    first, *arguments = words
    if first != "jaxpath":
        return options_of_script(first), arguments
    node: Entry | Group = COMMANDS
    while isinstance(node, Group) and arguments:
        node = node.entries[arguments.pop(0)]
    return (node.load().options if isinstance(node, Entry) else None), arguments


@cache
def options_of_script(path: str) -> Any:
    """What ``path`` hands to the command line when it is started."""
    with (
        unittest.mock.patch("jaxpath.runs.main") as main,
        unittest.mock.patch("jaxpath.start_up.start") as start,
    ):
        runpy.run_path(str(ROOT / path), run_name="__main__")
    if start.called:  # a script that is one process wherever it runs
        return start.call_args.args[0].options
    (_, options, _), _ = main.call_args
    return options


def parse(options: Any, arguments: list[str]) -> None:
    tyro.cli(options, args=arguments, config=CONFIG)


@cache
def known_options(options: Any) -> set[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        parse(options, ["--help"])
    return set(re.findall(r"--[a-z][\w-]*", said.getvalue()))


def entries(group: Group) -> Iterator[Entry]:
    for node in group.entries.values():
        yield from [node] if isinstance(node, Entry) else entries(node)


def test_options_that_the_text_speaks_of_exist():
    zoo = (ROOT / "tests" / "zoo" / "try_models.py").read_text(encoding="utf-8")
    known = {"--help", "--tyro-write-completion", *re.findall(r'add_argument\("(--[\w-]+)"', zoo)}.union(
        *(known_options(entry.load().options) for entry in entries(COMMANDS)),
        *(
            known_options(options_of_script(f"experiments/{name}.py"))
            for name in (
                "ablations",
                "compile_for",
                "flint_posthoc",
                "lap_imagenet",
                "lap_mnist",
                "sanity",
                "scaling",
            )
        ),
    )
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        spoken = set(re.findall(r"`(--[a-z][a-z-]*)", text))
        # Options of the compiler and of SLURM are not ours.
        slurm = " ".join(re.findall("^#SBATCH (.*)", text, flags=re.MULTILINE))
        unknown = {option for option in spoken - known if option != "--xla" and option not in slurm}
        assert unknown == set(), f"{name(page)} speaks of {sorted(unknown)}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_extras_that_are_to_be_installed_exist(page):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = set(re.findall(r"[ '\"`]\.\[(\w+)\]", page.read_text(encoding="utf-8")))
    assert named <= set(setup["options.extras_require"])
