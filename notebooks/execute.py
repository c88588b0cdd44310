"""Executes the notebooks in place, and keeps of their results what is the same at every run but for figures.

    python notebooks/execute.py [NOTEBOOK.ipynb ...]

Each runs in a kernel and an empty folder of its own. Kept are printed lines, tables and small pictures.
Left out are progress, warnings, times, and lines that name a place on this machine.
"""

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parent

QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""For the kernel: programs run once, and compiling them well takes longer than they do."""

WIDEST = 880
"""Pixels of a picture that is kept."""

LARGEST = 58_000
"""Its bytes."""

COLOURS = (256, 128, 64, 32, 16)
"""Of a picture: the first with which it is small enough."""

MACHINE = re.compile(r"(?<![\w.:/<])/(tmp|home|root|work|var|usr|Users|private)\b|0x[0-9a-f]{6,}")
"""A path of this machine, or an address in its memory."""

TIME = re.compile(r"\d\s?(s|ms|seconds|minutes)\b|images/s\b")

NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")


def execute(path: Path, *, seconds: int = 600) -> NotebookNode:
    """The notebook with the results of a run, from which what is volatile is left out.

    Args:
        path: The notebook.
        seconds: That a cell may take.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=seconds, record_timing=False, resources={"metadata": {"path": folder}}
        )
        client.execute(env={**os.environ, **QUICK})
    # The kernel writes its own version there.
    notebook.metadata = nbformat.from_dict(metadata)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = kept(cell.outputs)
    return notebook


def kept(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs of a cell without what is volatile; consecutive prints are one."""
    found: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            text = "".join(line for line in output.text.splitlines(keepends=True) if not is_volatile(line))
            if output.name != "stdout" or not text:
                continue
            if found and found[-1].output_type == "stream":
                found[-1].text += text
            else:
                found.append(nbformat.v4.new_output("stream", name="stdout", text=text))
        else:
            forms = {kind: value for kind, value in output.data.items() if is_kept(output, kind)}
            output.data = {kind: shown(kind, value) for kind, value in forms.items()}
            output.metadata = {}
            if output.data:
                found.append(output)
    return found


def is_volatile(line: str) -> bool:
    """Whether a line depends on the machine or on how fast it is."""
    return bool(MACHINE.search(line) or TIME.search(line))


def is_kept(output: NotebookNode, kind: str) -> bool:
    """Whether a form of a result is kept: of a table its text says nothing more."""
    others = {"text/html", "image/png"}
    return kind in others or (kind == "text/plain" and not others & set(output.data))


def shown(kind: str, value: str) -> str:
    """A form of a result as it is kept: pictures small, with few colours."""
    if kind != "image/png":
        return value
    with Image.open(io.BytesIO(base64.b64decode(value))) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDEST:
        height = round(picture.height * WIDEST / picture.width)
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    for colours in COLOURS:
        small = io.BytesIO()
        fewer = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        fewer.save(small, "png", optimize=True)
        if small.tell() <= LARGEST:
            break
    return base64.b64encode(small.getvalue()).decode()


def said(outputs: list[NotebookNode]) -> list[str]:
    """What the kept outputs of a cell say, line by line, with ``#`` for figures; pictures by their kind."""
    lines = []
    for output in outputs:
        if output.output_type == "stream":
            lines += output.text.splitlines()
        else:
            for kind, value in sorted(output.data.items()):
                lines += [kind] if kind == "image/png" else [f"{kind}: {line}" for line in value.splitlines()]
    return [" ".join(NUMBER.sub("#", line).split()) for line in lines]


def main() -> None:
    """Executes the notebooks that are named, else all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(execute(path), path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
