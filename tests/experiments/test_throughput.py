"""Throughput: what is written, what is made of the times, and that PyTorch computes the same."""

import importlib.util
import json

import jax
import numpy as np
import pytest

from jaxpath import devices, runs
from jaxpath.runs import throughput
from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.types import InputError

SMALL = {"width": 8, "batch_size": 8}


@pytest.mark.slow
def test_results_hold_the_figures_of_one_run(run, tmp_path):
    arguments = ["--model", "resnet8", "--batch-size", 8, "--width", 8, "--rounds", 1]
    status, error = run(
        "throughput", *arguments, "--explainers", "gencnp", "--data", "digits", "--out", tmp_path
    )
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["step_over_floor"] == pytest.approx(results["step_ms"] / results["floor_ms"])
    assert results["images_per_second"] == pytest.approx(8000 / results["step_ms"])
    for name in ("compile_s", "peak_memory_mb", "pipeline_images_per_second"):
        assert results[name] > 0, name
    assert results["explain_gencnp_images_per_second"] > 0


def test_an_unknown_explainer_is_one_sentence(start, tmp_path):
    status, error = start("throughput", "--explainers", "saliency", "--out", tmp_path)
    assert status == 2 and "saliency" in error and "gencnp" in error


def test_figures_are_those_of_the_median_times():
    options = throughput.Throughput(batch_size=8, explainers=("taylor",), against_torch="eager")
    times = {"step": [50.0, 20.0, 40.0], "floor": [10.0, 16.0, 90.0], "taylor": [4.0, 5.0, 2.0]}
    times |= {"torch_step": [80.0] * 3, "torch_floor": [30.0] * 3, "torch_forward": [2.0] * 3}
    figures = throughput.summarise(times, options, flops=1e9)
    assert figures == {
        "step_ms": 40.0,
        "floor_ms": 16.0,
        "step_over_floor": 2.5,
        "images_per_second": 200.0,
        "rounds": 3,
        "explain_taylor_images_per_second": 2000.0,
        "torch_step_ms": 80.0,
        "torch_floor_ms": 30.0,
        "torch_forward_ms": 2.0,
        "over_torch_eager": 0.5,
        "explain_taylor_over_torch_forward": 0.5,
    }


def test_everything_takes_a_turn_in_every_round_and_the_first_one_is_not_counted():
    calls = []

    def recorder(name):
        def call():
            calls.append(name)
            return float(calls.count(name))

        return call

    times = throughput.take_turns({name: recorder(name) for name in "abc"}, rounds=4, seconds=60.0)
    assert times == {name: [2.0, 3.0, 4.0, 5.0] for name in "abc"}
    turns = [calls[start : start + 3] for start in range(0, 15, 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert len({tuple(turn) for turn in turns[1:]}) > 1


def test_turns_end_after_three_rounds_when_the_time_is_over():
    assert throughput.take_turns({"a": lambda: 1.0}, rounds=9, seconds=0.0) == {"a": [1.0] * 3}


def test_a_python_that_is_not_there_is_one_sentence():
    options = throughput.Throughput(model="resnet8", **SMALL)
    workload = throughput.make_workload(options)
    process = throughput.start_torch(workload, options.generator, python="nowhere/python")
    with pytest.raises(InputError, match=r"nowhere/python cannot be started.*--torch-python"), process:
        pass


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install torch")
@pytest.mark.parametrize(("model", "size"), [("resnet8", 32), ("resnet18", 64), ("vgg11_bn", 32)])
def test_pytorch_computes_the_same_loss_and_gradient(model, size):
    workload = throughput.make_workload(throughput.Throughput(model=model, image_size=size, **SMALL))
    # Without random densities neither draws anything.
    options = runs.GeneratorOptions(width=8, objective=ObjectiveFlags(random_density_share=0.0))
    mesh = devices.make_mesh(jax.devices()[:1])
    create_state, step = runs.make_generator_step(workload.target, workload.generator, options, mesh)
    state = devices.replicate(create_state(jax.tree.map(np.array, workload.weights), 0), mesh)
    batch = devices.shard_batch({"image": workload.images, "label": np.zeros(8, np.int32)}, mesh)
    _, metrics = step(state, workload.params, batch)

    with throughput.start_torch(workload, options) as torch:
        loss, norm = torch.check()
    assert loss == pytest.approx(float(metrics["loss"]), rel=1e-4)
    assert norm == pytest.approx(float(metrics["grad_norm"]), rel=1e-3)
