"""The rules of docs/design.md that a machine can check: who imports whom, and how big files grow."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BASE = {
    *("markup", "types", "files", "caches", "registry", "compiling", "gating", "fills", "blanks"),
    *("windows", "layers", "pathways", "places", "losses"),
    *("finite", "devices", "errors", "choices", "naming"),
}

SYSTEMS = {"gencnp", "flint", "lap", "discover"}
EVERYTHING = (
    BASE
    | SYSTEMS
    | {"targets", "explainers", "attributions", "data", "metrics", "findings", "training", "report"}
)

MAY_IMPORT = {
    # What a command line is read and refused with loads nothing.
    **{room: set() for room in ("markup", "errors", "choices", "lazy", "option_help", "terminal", "windows")},
    "naming": {"errors", "files"},
    "types": {"markup", "errors", "choices"},
    "files": {"errors"},
    "caches": {"files", "types"},
    "registry": {"errors"},
    # Compiling and layers choose what a CPU needs; nobody else knows of it but who starts a process.
    "cpu": {"windows"},
    "compiling": {"cpu"},
    "gating": {"types", "compiling"},
    "fills": {"types", "gating", "choices"},
    # A blank picture is normalised as a target's input.
    "blanks": {"types", "layers"},
    "layers": {"types", "compiling", "cpu", "windows"},
    "pathways": {"types", "compiling"},
    "losses": {"types"},
    "places": {"types"},
    "finite": {"types"},
    # Passes over a data set are compiled for the mesh that they run on; what is not finite is refused there.
    "devices": {"types", "compiling", "finite"},
    "targets": BASE,
    # A saliency map normalises images as their target does.
    "explainers": BASE | {"targets", "lazy"},
    # Attributions share the score of a class with the explainers of neurons.
    "attributions": BASE | {"targets", "explainers"},
    "data": BASE,
    # A metric runs over a data set.
    "metrics": BASE | {"data"},
    # Findings are what explainers and metrics say about pictures, put together for a page.
    "findings": BASE | {"targets", "explainers", "attributions", "data", "metrics"},
    # A system explains any target by any metric; the systems do not know each other.
    "gencnp": BASE | {"targets", "explainers", "metrics", "data"},
    "flint": BASE | {"targets", "explainers", "metrics", "data"},
    "discover": BASE | {"targets", "explainers", "metrics", "data"},
    "lap": BASE | {"targets", "explainers", "attributions", "metrics", "data"},
    # The loop is given built objects.
    "training": BASE,
    # A page shows what was measured, and the table of metrics says which figures.
    "report": BASE | {"findings", "metrics"},
    # A command starts at once: what it runs is loaded when it is known.
    "start_up": {"errors", "files", "caches", "terminal", "option_help", "devices", "cpu"},
    # A run puts everything together, for an experiment, a command or a program.
    "runs": EVERYTHING | {"start_up", "lazy"},
    "cli": EVERYTHING | {"start_up", "runs"},
    # The page in the browser is a command as well, loaded by its name.
    "app": EVERYTHING | {"runs", "cli"},
    "__main__": {"cli"},
}
"""Room -> rooms that it may import, besides itself. A room is a module or a package of jaxpath."""

ONLY_IN = {
    "matplotlib": "report",
    "jinja2": "report",
    "nicegui": "app",
    "grain": "data",
    "tensorflow_datasets": "data",
    "orbax": "training.checkpoints, targets.orbax_folders",
}
"""Library -> the rooms that import it."""

MAX_LINES = 400
MEDIAN_LINES = 120
MAX_CODE_LINES = 60
MAX_SCRIPT_LINES = 100
MAX_BYTES = 500_000

MANY_ARGUMENTS = {
    "jaxpath/layers.py:conv_general_dilated": "those of lax.conv_general_dilated, which Flax passes",
    "jaxpath/targets/resnet.py:_imagenet_resnet": "the makers' keywords, and what tells them apart",
    "jaxpath/targets/vgg.py:_vgg": "the makers' keywords, and what tells them apart",
}
"""Functions of more than eight arguments -> why."""

THIRD_PARTY = {"flax", "jax", "numpy", "optax", "tqdm"}
"""Libraries that experiments may import besides jaxpath."""


def source_files() -> list[Path]:
    return sorted((ROOT / "jaxpath").rglob("*.py"))


def module_name(path: Path) -> str:
    """``jaxpath/training/loop.py`` -> ``"training.loop"``; a package is named without __init__."""
    parts = path.relative_to(ROOT / "jaxpath").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    """The first part of a module's name."""
    return module.split(".")[0]


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute names that a file imports anywhere: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the absolute name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    names = (name.split(".") for name in imported_modules(path))
    rooms = {parts[1] for parts in names if parts[0] == "jaxpath" and len(parts) > 1}
    return rooms - {"__version__"}


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
    strangers = {lib for lib in libraries if {module, room_of(module)}.isdisjoint(ONLY_IN[lib].split(", "))}
    assert not strangers, f"only {[ONLY_IN[lib] for lib in strangers]} may import {sorted(strangers)}"


def test_every_folder_is_a_package():
    """Without an __init__.py, it would be missing from the installed library."""
    folders = {path.parent for path in source_files()}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_room_that_needs_no_heavy_library_is_an_attribute_of_jaxpath():
    rooms = {folder.name for folder in (ROOT / "jaxpath").iterdir() if (folder / "__init__.py").is_file()}
    by_name = {"report", "findings", "runs", "cli", "app", "cpu"}
    parts = ", ".join(f"jaxpath.{room}.__name__" for room in sorted(rooms - by_name))
    loaded = modules_after(f"import jaxpath\nfound = [{parts}]\nassert jaxpath.gate and jaxpath.Target")
    assert {f"jaxpath.{room}" for room in rooms - by_name} <= loaded
    assert loaded & {*ONLY_IN, "torch", "tensorflow", "sklearn"} == set()


@pytest.mark.parametrize(
    "package", ["jaxpath", "jaxpath.explainers", "jaxpath.runs", "jaxpath.runs.comparison"]
)
def test_what_a_package_loads_later_is_what_it_promises(package):
    """The names under TYPE_CHECKING are those of ``__all__``, and each is where it should be."""
    names = "assert set(_imports(package.__name__)) == set(package.__all__)"
    names += "; found = [getattr(package, name) for name in package.__all__]"
    modules_after(f"import {package} as package\nfrom jaxpath.lazy import _imports\n{names}")


def test_a_command_line_is_read_and_refused_before_jax_is_loaded():
    loaded = modules_after("import jaxpath.cli.main, jaxpath.cli.commands")
    assert loaded & {*ONLY_IN, "jax", "flax", "scipy", "torch", "tensorflow", "sklearn"} == set()


def test_figures_need_no_pyplot():
    assert "matplotlib.pyplot" not in modules_after("import jaxpath.report")


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, list[str]]]:
    """Every function of a file, with the file's lines."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, lines


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines from ``def`` to the end that are no docstring, no comment and not empty."""
    numbers = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    if ast.get_docstring(function) is not None:
        first = function.body[0]
        numbers -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    texts = (lines[number - 1].strip() for number in numbers)
    return sum(1 for text in texts if text and not text.startswith("#"))


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of all arguments but self and cls."""
    signature = function.args
    named = [
        *signature.posonlyargs,
        *signature.args,
        *signature.kwonlyargs,
        signature.vararg,
        signature.kwarg,
    ]
    return [arg.arg for arg in named if arg is not None and arg.arg not in ("self", "cls")]


def library_and_experiments() -> list[Path]:
    return [*source_files(), *sorted((ROOT / "experiments").rglob("*.py"))]


@pytest.mark.parametrize(
    "path", library_and_experiments(), ids=lambda path: str(path.relative_to(ROOT).with_suffix(""))
)
def test_functions_are_short_and_take_few_arguments(path):
    place = path.relative_to(ROOT)
    few = 6 if place.parts[1] in ("metrics", "findings", "runs") else 8
    for function, lines in functions(path):
        name = f"{place}:{function.name}"
        assert code_lines(function, lines) <= MAX_CODE_LINES, name
        most = few if not function.name.startswith("_") else 8
        if name not in MANY_ARGUMENTS:
            assert len(arguments(function)) <= most, f"{name} takes {arguments(function)}"


def test_every_exception_from_the_number_of_arguments_is_one():
    names = {
        f"{path.relative_to(ROOT)}:{function.name}": len(arguments(function))
        for path in library_and_experiments()
        for function, _ in functions(path)
    }
    assert {name for name in MANY_ARGUMENTS if names.get(name, 0) <= 8} == set()


WRITERS = {
    *("open", "fdopen", "write_text", "write_bytes"),
    *("savez", "savez_compressed", "save", "savefig", "save_file", "tofile", "savetxt", "dump"),
}
"""Names of functions that write files."""

MAY_WRITE = {
    "jaxpath/files.py": "by it the others write",
    "jaxpath/training/events.py": "a log grows by its lines",
    "jaxpath/training/logs.py": "a log grows by its lines",
    "jaxpath/terminal.py": "nowhere",
    "jaxpath/runs/features.py": "parts in a folder of their own, which become one file",
    "jaxpath/devices/memory.py": "the kernel's counters",
    "jaxpath/runs/throughput/pytorch.py": "a temporary file for another process",
}
"""Files that write other than by ``files.replacing`` -> why."""


def unprotected_writes(path: Path) -> Iterator[int]:
    """Lines of a file that write a file outside of ``with replacing(...)`` and of a cache's writer."""

    def visit(node: ast.AST, protected: bool) -> Iterator[int]:
        if isinstance(node, ast.With):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            protected |= any(called(call) == "replacing" for call in calls)
        # Writers that caches.kept calls with a path that is not the file's own.
        protected |= isinstance(node, ast.FunctionDef) and node.name in ("_write", "_store")
        if isinstance(node, ast.Call) and called(node) in WRITERS and not protected and may_write(node):
            yield node.lineno
        for child in ast.iter_child_nodes(node):
            yield from visit(child, protected)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), False)


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def may_write(call: ast.Call) -> bool:
    """Whether a call writes a file, not one that only reads or that writes into memory."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if called(call) in ("open", "fdopen"):
        modes = [value.value for value in values if isinstance(value, ast.Constant)]
        return any(
            isinstance(mode, str) and re.fullmatch(r"[rwxabt+]*[wxa+][rwxabt+]*", mode) for mode in modes
        )
    # That of jaxpath.files.
    if called(call) == "write_text":
        return isinstance(call.func, ast.Attribute)
    # A checkpoint, a picture as bytes.
    return not (called(call) == "save" and isinstance(values[0], ast.Name) and values[0].id in _NO_FILES)


_NO_FILES = ("step", "k", "buffer")


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_every_file_is_written_whole_or_not_at_all(path):
    if str(path.relative_to(ROOT)) in MAY_WRITE:
        return
    assert list(unprotected_writes(path)) == [], f"{path}: write it by jaxpath.files"


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("np.savez(path, a=1)", [1]),
        ("path.write_text('a')", [1]),
        ("open(path, 'w')", [1]),
        ("path.open(mode='ab')", [1]),
        ("open(path, 'rb')", []),
        ("with replacing(path) as partial:\n    np.savez(partial)", []),
        ("with replacing(path) as partial:\n    pass\nfigure.savefig(path)", [3]),
    ],
)
def test_a_file_that_is_written_in_place_is_found(tmp_path, program, lines):
    (tmp_path / "program.py").write_text(program)
    assert list(unprotected_writes(tmp_path / "program.py")) == lines


def test_half_of_the_files_are_shorter_than_a_page_or_two():
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in library_and_experiments()]
    assert statistics.median(sizes) <= MEDIAN_LINES


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").rglob("*.py")), ids=lambda path: path.stem)
def test_an_experiment_is_a_short_script_that_imports_no_other(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_SCRIPT_LINES
    others = {other.stem for other in path.parent.rglob("*.py")}
    imported = {name.split(".")[0] for name in imported_modules(path)}
    assert imported & others == set()
    assert imported <= {"jaxpath", *sys.stdlib_module_names, *THIRD_PARTY}


def test_nobody_changes_where_python_looks_for_modules():
    pattern = "sys" + ".path"
    places = [
        str(path.relative_to(ROOT))
        for folder in ("jaxpath", "experiments", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if pattern in path.read_text(encoding="utf-8")
    ]
    assert places == []


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
    places = [str(p.relative_to(ROOT)) for p in repository_files if pattern.search(p.read_bytes())]
    assert places == []
