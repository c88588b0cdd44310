"""What every program promises that an accelerator may run: it lowers for TPUs and GPUs, wherever that is."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from integrated_gates import make_integrated_gates
from jax.sharding import AbstractDevice, AbstractMesh
from test_targets import TARGETS

from jaxpath import attributions, compiling, explainers, gencnp, targets
from jaxpath.runs.compile_for.options import CompileFor
from jaxpath.runs.compile_for.programs import batch_shapes, make_work
from jaxpath.targets.resnet import BasicBlock, ResNet

PLATFORMS = ("tpu", "cuda")
BATCH = 2
SUMS_IN_BFLOAT16 = re.compile(r"stablehlo\.reduce\(.* applies stablehlo\.add .*: \(tensor<[\dx]+xbf16>")
OPTIONS = {"integrated_gradients": {"steps": 2}, "smoothgrad": {"samples": 2}}


def small_target():
    """A ResNet of one narrow block."""
    module = ResNet(BasicBlock, (1,), 3, width=4, imagenet_stem=False)
    preprocessing = targets.make_preprocessing((8, 6))
    return targets.from_linen(module, name="tiny", num_classes=3, preprocessing=preprocessing)


def shapes(target):
    params = jax.eval_shape(target.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((BATCH, *target.preprocessing.shape), jnp.uint8)
    return params, images, jax.ShapeDtypeStruct((BATCH,), jnp.int32)


def check(function, *arguments):
    """Traced for an accelerator, a program lowers for both kinds and holds no form for CPUs only."""
    with compiling.traced_for("tpu"):
        # A function of its own: JAX would take the trace of another platform.
        traced = jax.jit(lambda *arguments: function(*arguments)).trace(*arguments)
    listing = str(traced.jaxpr)
    for special in ("optimization_barrier", "convolution_by_shape"):
        assert special not in listing
    for platform in PLATFORMS:
        assert "func.func public @main" in traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_and_its_gradient_lower(name):
    target = TARGETS[name]()
    params, images, _ = shapes(target)
    gates = {site.name: jax.ShapeDtypeStruct((BATCH, site.channels), jnp.float32) for site in target.sites}

    def gated(params, images, gates):
        return jax.grad(lambda gates: target.apply(params, images, gates).logits.sum())(gates)

    check(gated, params, images, gates)


@pytest.mark.parametrize("name", [*explainers.names(), "gencnp", "integrated_gates"])
def test_every_explainer_lowers(name):
    target = small_target()
    params, images, labels = shapes(target)

    def explain(params, images, labels, weights):
        if name == "gencnp":
            explainer = gencnp.make_gencnp(target, generator, weights, density=0.5)
        elif name == "integrated_gates":
            explainer = make_integrated_gates(target, density=0.5, granularity="channel")
        else:
            explainer = explainers.make_explainer(name, target, density=0.5)
        return explainer(params, images, labels, key=jax.random.key(0)).masks

    generator = gencnp.Generator(target.sites, target.num_classes, width=8)
    _, reading = jax.eval_shape(partial(gencnp.read, target), params, images)
    weights = jax.eval_shape(generator.init, jax.random.key(0), reading) if name == "gencnp" else {}
    check(explain, params, images, labels, weights)


@pytest.mark.parametrize("name", attributions.names())
def test_every_attribution_lowers(name):
    target = small_target()
    attribute = attributions.make_attribution(name, target, **OPTIONS.get(name, {}))
    check(partial(attribute, key=jax.random.key(0)), *shapes(target))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("system", ["gencnp", "classifier", "flint", "lap"])
def test_every_training_step_lowers_for_a_mesh_of_accelerators(system, platform):
    mesh = AbstractMesh((2,), ("data",), abstract_device=AbstractDevice("of any kind", None, platform))
    options = CompileFor(image_size=32, precision="bfloat16", width=8)
    work = make_work(system, "resnet8", options, mesh)
    traced = work.step.trace(work.state, work.frozen, batch_shapes(work.target, 4))
    listing = str(traced.jaxpr)
    for special in ("optimization_barrier", "convolution_by_shape"):
        assert special not in listing
    # The gradients travel once; so do BatchNorm's statistics in layers that are trained.
    program = traced.lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.all_reduce" in program and "stablehlo.convolution" in program
    assert not SUMS_IN_BFLOAT16.search(program)


def test_a_sum_in_bfloat16_would_be_found():
    x = jax.ShapeDtypeStruct((8, 3), jnp.bfloat16)
    program = jax.jit(lambda x: jax.lax.reduce_sum(x, (0,))).trace(x).lower(lowering_platforms=("tpu",))
    assert SUMS_IN_BFLOAT16.search(program.as_text())
