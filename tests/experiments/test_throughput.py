"""experiments/throughput.py: what it writes, and that PyTorch is timed on the same computation."""

import importlib.util
import json
import subprocess
import sys

import fitting
import jax
import numpy as np
import pytest
import throughput
from common import GeneratorOptions

from jaxpath import devices
from jaxpath.runs.objective_options import ObjectiveFlags

SMALL = {"width": 8, "batch_size": 8}


@pytest.mark.slow
def test_results_hold_the_figures_of_one_run(run, tmp_path):
    arguments = ["--model", "resnet8", "--batch-size", 8, "--width", 8, "--rounds", 1]
    status, error = run(
        "throughput", *arguments, "--explainers", "gencnp", "--data", "digits", "--out", tmp_path
    )
    assert status == 0, error
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["step_over_floor"] == pytest.approx(found["step_ms"] / found["floor_ms"])
    assert found["images_per_second"] == pytest.approx(8000 / found["step_ms"])
    for name in ("compile_s", "peak_memory_mb", "pipeline_images_per_second"):
        assert found[name] > 0, name
    assert found["explain_gencnp_images_per_second"] > 0


def test_an_unknown_explainer_is_one_sentence(start, tmp_path):
    status, error = start(throughput, "--explainers", "saliency", "--out", tmp_path)
    assert status == 2 and "saliency" in error and "gencnp" in error


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install 'jaxpath[bench]'"
)
@pytest.mark.parametrize(("model", "size"), [("resnet8", 32), ("resnet18", 64), ("vgg11_bn", 32)])
def test_pytorch_computes_the_same_loss_and_gradient(model, size, tmp_path):
    bench = throughput.make_bench(throughput.Options(model=model, image_size=size, **SMALL))
    # Without random densities neither draws anything.
    options = GeneratorOptions(width=8, objective=ObjectiveFlags(random_density_share=0.0))
    mesh = devices.make_mesh(jax.devices()[:1])
    create_state, step = fitting.make_generator_step(bench.target, bench.generator, options, mesh)
    state = devices.replicate(create_state(jax.tree.map(np.array, bench.weights), 0), mesh)
    batch = devices.shard_batch({"image": bench.images, "label": np.zeros(8, np.int32)}, mesh)
    _, metrics = step(state, bench.params, batch)

    throughput.write_arrays(bench, tmp_path / "arrays.npz")
    settings = {
        "dtype": "float32",
        "grid": bench.generator.grid,
        "compile": False,
        "random_density_share": 0.0,
        "faithfulness": 0.1,
    }
    command = [sys.executable, str(throughput.TORCH_STEP), "--arrays", str(tmp_path / "arrays.npz")]
    command += ["--settings", json.dumps(settings)]
    answer = subprocess.run(command, input="check\n", capture_output=True, text=True, check=True)
    loss, norm = json.loads(answer.stdout)
    assert loss == pytest.approx(float(metrics["loss"]), rel=1e-4)
    assert norm == pytest.approx(float(metrics["grad_norm"]), rel=1e-3)
