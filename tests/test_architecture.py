"""The rules of docs/design.md that a machine can check: who imports whom, and how big files grow."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BASE = {"markup", "types", "registry", "compiling", "gating", "layers", "pathways", "losses"} | {
    "training.sharding"
}

SYSTEMS = {"gencnp", "flint", "lap", "discover"}
EVERYTHING = (
    BASE
    | SYSTEMS
    | {"targets", "explainers", "attributions", "data", "metrics", "findings", "training", "report"}
)

MAY_IMPORT = {
    "markup": set(),
    "types": {"markup"},
    "registry": {"types"},
    "compiling": set(),
    "gating": {"types", "compiling"},
    "layers": {"types", "compiling"},
    "pathways": {"types"},
    "losses": {"types"},
    "training.sharding": {"types"},
    "targets": BASE,
    # A saliency map normalises images as their target does.
    "explainers": BASE | {"targets"},
    # Attributions share the score of a class with the explainers of neurons.
    "attributions": BASE | {"targets", "explainers"},
    # Metrics run their passes over a data set as the steps of training do.
    "metrics": BASE | {"training"},
    "data": BASE,
    # Findings are what explainers, metrics and steps say about pictures, put together for a page.
    "findings": BASE | {"targets", "explainers", "data", "metrics", "training"},
    # A system explains any target by any metric; the systems do not know each other.
    "gencnp": BASE | {"targets", "explainers", "metrics", "data"},
    "flint": BASE | {"targets", "explainers", "metrics", "data"},
    "discover": BASE | {"targets", "explainers", "metrics", "data"},
    "lap": BASE | {"targets", "explainers", "attributions", "metrics", "data"},
    # The loop is given built objects.
    "training": BASE,
    # A page shows what was found.
    "report": BASE | {"findings"},
    # Runs are what experiments and commands share, so only these import them.
    "runs": EVERYTHING,
    # The command line sets everything up, as an experiment does, and starts experiments.
    "cli": EVERYTHING | {"runs"},
    "__main__": {"cli"},
}
"""Room -> rooms that it may import, besides itself. A room is a module or a package of jaxpath."""

ONLY_IN = {
    "matplotlib": "report",
    "jinja2": "report",
    "grain": "data",
    "tensorflow_datasets": "data",
    "orbax": "training.checkpoints",
}
"""Library -> the one room that imports it."""

MAX_LINES = 400
MAX_BYTES = 500_000


def source_files() -> list[Path]:
    return sorted((ROOT / "jaxpath").rglob("*.py"))


def module_name(path: Path) -> str:
    """``jaxpath/training/loop.py`` -> ``"training.loop"``; a package is named without __init__."""
    parts = path.relative_to(ROOT / "jaxpath").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    """``"training.sharding"`` is a room of its own; otherwise the first part names the room."""
    return module if module in MAY_IMPORT else module.split(".")[0]


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute names that a file imports anywhere: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the absolute name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    names = (name.split(".")[1:] for name in imported_modules(path) if name.startswith("jaxpath."))
    # The last part may be a function, so that "training.sharding" is found by its first two parts.
    return {room_of(".".join(parts[:2])) for parts in names}


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_imports_go_downwards_only(path):
    room = room_of(module_name(path))
    if room == "":  # jaxpath/__init__.py
        return
    assert room in MAY_IMPORT, f"{room} is a new room: say here what it may import"
    upward = imported_rooms(path) - MAY_IMPORT[room] - {room}
    assert not upward, f"{room} may import {sorted(MAY_IMPORT[room])}, but imports {sorted(upward)}"


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_heavy_libraries_stay_in_their_room(path):
    module = module_name(path)
    libraries = {name.split(".")[0] for name in imported_modules(path)} & ONLY_IN.keys()
    strangers = {lib for lib in libraries if ONLY_IN[lib] not in (module, module.split(".")[0])}
    assert not strangers, f"only {[ONLY_IN[lib] for lib in strangers]} may import {sorted(strangers)}"


def test_every_folder_is_a_package():
    """Without an __init__.py, it would be missing from the installed library."""
    folders = {path.parent for path in source_files()}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_import_jaxpath_pulls_in_no_heavy_library():
    assert modules_after("import jaxpath") & {*ONLY_IN, "torch", "tensorflow", "sklearn"} == set()


def test_import_jaxpath_makes_every_room_that_needs_no_heavy_library():
    rooms = {folder.name for folder in (ROOT / "jaxpath").iterdir() if (folder / "__init__.py").is_file()}
    by_name = {"report", "findings", "runs", "cli"}
    assert {f"jaxpath.{room}" for room in rooms - by_name} <= modules_after("import jaxpath")


def test_figures_need_no_pyplot():
    assert "matplotlib.pyplot" not in modules_after("import jaxpath.report")


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def repository_files() -> list[Path]:
    """Files that git tracks, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_python_files_stay_small(repository_files):
    lines = {
        p: len(p.read_text(encoding="utf-8").splitlines()) for p in repository_files if p.suffix == ".py"
    }
    assert {str(p.relative_to(ROOT)): n for p, n in lines.items() if n > MAX_LINES} == {}


def test_the_repository_holds_no_large_files(repository_files):
    sizes = {str(p.relative_to(ROOT)): p.stat().st_size for p in repository_files}
    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}


def test_no_file_names_a_folder_of_one_machine(repository_files):
    pattern = re.compile(rb"(?<![\w.:/-])/(?:work|opt|root|home|Users|tmp|mnt)/\w")
    found = [str(p.relative_to(ROOT)) for p in repository_files if pattern.search(p.read_bytes())]
    assert found == []
