"""The notebooks run in a kernel of their own, as a reader's do."""

import base64
import io
import json
import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from PIL import Image

from jaxpath.findings import VERDICTS

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each_notebook
def test_notebooks_are_kept_without_results(path):
    """Figures would make them large, and every run would change them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []


def outputs(path: Path, folder: Path) -> list[dict]:
    """What the code cells of a notebook say and show, after a run in ``folder``."""
    notebook = nbformat.read(path, as_version=4)
    # Its programs run once, as those of all tests: compiling them well takes longer than they do.
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    cells = client.execute(env=environment)["cells"]
    return [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]


def run(name: str, folder: Path) -> tuple[str, int]:
    """What a notebook of that name prints, and how many figures it shows."""
    (path,) = (path for path in NOTEBOOKS if path.stem == name)
    result = outputs(path, folder)
    said = "".join(output["text"] for output in result if output.get("name") == "stdout")
    return said, sum("image/png" in output.get("data", {}) for output in result)


def figure(name: str, said: str) -> float:
    """The number that stands behind a name."""
    return float(re.search(rf"{name}:? ([\d.]+)", said)[1])


def test_your_own_model_is_checked_and_its_pathway_gets_a_verdict(tmp_path):
    said, figures = run("own_model", tmp_path)
    alone, randomly = figure("with the pathway alone", said), figure("as many random channels alone", said)
    assert figure("with probability", said) > 0.5 and alone > randomly + 0.1
    assert re.search(r"verdict: (\w+)", said)[1] in VERDICTS
    assert "3 sites" in said
    assert figures == 1


def test_attributes_imitate_the_classifier_and_few_of_them_decide(tmp_path):
    said, figures = run("flint", tmp_path)
    assert figure("fidelity", said) > 0.8 and 1 <= figure("cns_5", said) <= 6
    assert figures == 1


def test_attention_is_plugged_in_without_a_change_and_drawn(tmp_path):
    said, figures = run("lap", tmp_path)
    assert figure("largest change of a logit", said) < 0.05 and figure("classes kept", said) > 0.95
    assert 0 < figure("insertion of lap", said) <= 1
    assert figures == 1


def test_competing_units_learn_and_have_names(tmp_path):
    said, _ = run("discover", tmp_path)
    assert figure("accuracy", said) > 0.75 and figure("active_share", said) == 0.25
    named, units = re.search(r"(\d+) of (\d+) units", said).groups()
    assert 0 < int(named) <= int(units)


def test_the_quick_start_explains_its_classifier_and_shows_tables_and_figures(tmp_path):
    (path,) = (path for path in NOTEBOOKS if path.stem == "quickstart")
    result = outputs(path, tmp_path)
    said = "".join(output["text"] for output in result if output.get("name") == "stdout")
    accuracy = float(said.split("accuracy ")[1].split("%")[0])
    fidelity = [float(part.split()[-1]) for part in said.split("% of the predictions stay")[:-1]]
    assert accuracy > 90
    assert len(fidelity) == 2 and min(fidelity) > 80

    shown = [output["data"] for output in result if "data" in output]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    captions = [re.findall("<summary>(.*?)</summary>", table)[0] for table in tables]
    assert captions[0] == "cnn: 10 classes, 4 sites, 112 channels"
    assert captions[1:] == ["Pathways of 359 images: 20 % open", "359 explained images"]
    figures = [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]
    assert len(figures) == 3
    assert min(min(Image.open(io.BytesIO(figure)).size) for figure in figures) > 100
