"""The notebooks run in a kernel of their own, as a reader's do, and say what is kept of them."""

import base64
import importlib.util
import io
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def execute() -> ModuleType:
    """``notebooks/execute.py``, which made what is kept."""
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures_of(cell: nbformat.NotebookNode) -> list[bytes]:
    shown = [output.data for output in cell.outputs if "data" in output]
    return [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]


@each_notebook
def test_what_is_kept_is_small_and_names_no_machine(path, execute):
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {output.name for cell in cells for output in cell.outputs if "name" in output} <= {"stdout"}
    texts = "".join(str(cell.outputs) for cell in cells if not pictures_of(cell))
    assert execute.MACHINE.findall(texts) == []
    pictures = [picture for cell in cells for picture in pictures_of(cell)]
    assert max(map(len, pictures), default=0) < 60_000
    assert min((min(Image.open(io.BytesIO(picture)).size) for picture in pictures), default=100) >= 100
    assert path.stat().st_size < 400_000


@each_notebook
def test_a_notebook_is_short_links_its_page_and_ends_with_what_was_learned(path):
    notebook = nbformat.read(path, as_version=4)
    assert 5 <= len(code_cells(notebook)) <= 12
    last = notebook.cells[-1]
    assert last.cell_type == "markdown"
    assert "**What you have learned.**" in last.source and "**Its caveat.**" in last.source
    assert "](../docs/" in last.source


@pytest.mark.slow
@each_notebook
def test_a_notebook_runs_and_says_what_is_kept_but_for_figures(path, execute):
    kept = code_cells(nbformat.read(path, as_version=4))
    run = code_cells(execute.execute(path))
    assert [execute.said(cell.outputs) for cell in run] == [execute.said(cell.outputs) for cell in kept]
    # A program that is run as a reader runs it shows every picture, at a size at which it can be read.
    assert [len(pictures_of(cell)) for cell in run] == [len(pictures_of(cell)) for cell in kept]


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


def display(**data: str) -> nbformat.NotebookNode:
    forms = {kind.replace("_", "/"): text for kind, text in data.items()}
    return nbformat.v4.new_output("display_data", data=forms)


def test_what_is_volatile_is_not_kept(execute):
    kept = execute.kept(
        [
            stream("training\nfigure: /var/x/maps.png\n"),
            stream("step 3/10\n", "stderr"),
            stream("took 3.5 s\nfidelity 0.98\nat 64 images/s\n<object at 0x7f00aa11>\nsee s3://tmp/x\n"),
            display(text_plain="Table(...)", text_html="<b>3</b>"),
            display(text_plain="0.5"),
        ]
    )
    assert [dict(output.get("data", {"text": output.get("text")})) for output in kept] == [
        {"text": "training\nfidelity 0.98\nsee s3://tmp/x\n"},
        {"text/html": "<b>3</b>"},
        {"text/plain": "0.5"},
    ]


def test_results_are_the_same_but_for_figures(execute):
    before = [stream("fidelity   0.98, at 1,024 images\n  dead -3\n"), display(text_plain="1.5e-07")]
    after = [stream("fidelity 1.00, at 64 images\n dead 0\n"), display(text_plain="12")]
    assert execute.said(before) == execute.said(after)
    assert execute.said(before) == ["fidelity #, at # images", "dead #", "text/plain: #"]
    stale = [stream("accuracy 0.98, at 64 images\n dead 0\n"), display(text_plain="12")]
    assert execute.said(before) != execute.said(stale)
    # What is no number any more is no other figure.
    assert execute.said([stream("fidelity nan\n")]) != execute.said([stream("fidelity 0.98\n")])


@pytest.mark.parametrize(("sigma", "fewest"), [(0, 1), (10, 17)], ids=["plain", "noise"])
def test_pictures_are_kept_small(sigma, fewest, execute):
    """Noise hardly packs: it is left fewer colours, and only as few as are needed."""
    picture = io.BytesIO()
    Image.effect_noise((2000, 200), sigma).save(picture, "png")
    shown = base64.b64decode(execute.shown("image/png", base64.b64encode(picture.getvalue()).decode()))
    assert len(shown) <= execute.LARGEST
    with Image.open(io.BytesIO(shown)) as small:
        assert small.size == (execute.WIDEST, execute.WIDEST // 10)
        assert fewest <= len(small.convert("RGB").getcolors()) <= execute.COLOURS[0]


def test_the_quick_start_explains_its_classifier():
    notebook = nbformat.read(FOLDER / "quickstart.ipynb", as_version=4)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    said = "".join(output.text for output in outputs if "text" in output)
    accuracy = float(said.split("accuracy ")[1].split("%")[0])
    fidelity = [float(part.split()[-1]) for part in said.split("% of the predictions stay")[:-1]]
    assert accuracy > 90
    assert len(fidelity) == 2 and min(fidelity) > 80
    shown = [output.data for output in outputs if "data" in output]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    captions = [re.findall("<summary>(.*?)</summary>", table)[0] for table in tables]
    assert captions[0] == "cnn: 10 classes, 4 sites, 112 channels"
    assert captions[1:] == ["Pathways of 359 images: 20 % open", "359 explained images"]
