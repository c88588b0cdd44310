"""Tries a wheel as a stranger would: installed in an environment of its own, far from the checkout.

python .ci/try_wheel.py dist/jaxpath-0.2.0-py3-none-any.whl
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = "runs/ten-lines/weights.safetensors"
"""What the README's lines leave."""

VERDICTS = ("carries_this_decision", "names_the_class", "not_enough")

PICTURE = """
from PIL import Image
from jaxpath import data
Image.fromarray(data.digits("test").images[0, :, :, 0]).save("digit.png")
"""


def check_contents(wheel: Path) -> None:
    """The files are those of the package that git knows, and the metadata."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "jaxpath"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = set(listed.stdout.split())
    if inside != tracked:
        raise SystemExit(f"{wheel} has {sorted(inside - tracked)} and lacks {sorted(tracked - inside)}")


def ten_lines() -> str:
    """The Python of the README."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[0]


def try_it(wheel: Path, folder: Path) -> None:
    """Installs the wheel in ``folder`` and runs what the README shows."""
    venv.create(folder / "venv", with_pip=True)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(program: str, *words: str) -> str:
        command = [str(folder / "venv" / "bin" / program), *words]
        done = subprocess.run(command, cwd=folder, env=clean, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} ended with status {done.returncode}\n{done.stdout}")
        return done.stdout

    run("python", "-m", "pip", "install", "--quiet", str(wheel.resolve()))
    version = wheel.name.split("-")[1]
    where = run("python", "-c", "import jaxpath; print(jaxpath.__version__, jaxpath.__file__)")
    assert where.split()[0] == version and where.split()[1].startswith(str(folder)), where
    assert run("jaxpath", "--version") == f"jaxpath {version}\n"
    assert "explain" in run("python", "-m", "jaxpath", "--help")

    shares = re.findall(r"^(0\.\d\d|1\.00) ", run("python", "-c", ten_lines()), re.MULTILINE)
    assert len(shares) == 2 and min(map(float, shares)) > 0.9, shares

    run("python", "-c", PICTURE)
    run("jaxpath", "explain", "digit.png", "--weights", WEIGHTS, "--out", "report")
    (row,) = json.loads((folder / "report" / "results.json").read_text())["pictures"]
    assert row["verdict"] in VERDICTS, row
    assert "digit.png" in (folder / "report" / "report.html").read_text(encoding="utf-8")


def main() -> None:
    """Tries the wheel that is named."""
    wheel = Path(sys.argv[1])
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        try_it(wheel, Path(folder).resolve())
    print(f"{wheel}: installed, and does what the README says")


if __name__ == "__main__":
    main()
