"""A step compiled for four TPU chips, read; needs libtpu (pip install 'jax[tpu]') and no TPU."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = re.compile(r"\| resnet20 \| [\d,]+ \| ([\d,]+) bytes \|")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("libtpu") is None, reason="no compiler for TPUs is installed"
    ),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The entry of results.json, and the program's text, of a ResNet-20's step in bfloat16."""
    out = tmp_path_factory.mktemp("compiled")
    command = [sys.executable, str(ROOT / "experiments" / "compile_for.py"), "--chips", "v5e-4"]
    command += ["--models", "resnet20", "--batch-size", "128", "--keep-programs", "--out", str(out)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    [program] = json.loads((out / "results.json").read_text())["programs"]
    return program, (out / "v5e-4-resnet20-gencnp-step-128.txt").read_text()


def test_the_chips_exchange_one_sum_of_the_documented_size(compiled):
    [sent] = DOCUMENTED.findall((ROOT / "docs" / "scaling.md").read_text())
    collectives = compiled[0]["collectives"]
    assert [collective["name"] for collective in collectives] == ["all-reduce"]
    # Scalars among them are padded.
    assert collectives[0]["bytes"] == pytest.approx(int(sent.replace(",", "")), rel=1e-3)


def test_no_map_is_written_in_float32(compiled):
    assert compiled[0]["float32_maps"] == []


def test_no_gradient_is_summed_in_bfloat16(compiled):
    text = compiled[1]
    sums = [line for line in text.splitlines() if re.search(r" reduce\(", line) and "transpose(jvp" in line]
    assert sums and not any(re.search(r"= bf16\[", line) for line in sums)


def test_the_step_has_its_figures_and_no_form_for_cpus(compiled):
    program, text = compiled
    assert program["fits"] and program["memory_bytes"] < 1e9
    assert 1 < program["step_over_floor"] < 3 and program["estimated_ms"] > program["floor_estimated_ms"]
    assert text.count("convolution(") >= 50 and "convolution_by_shape" not in text
