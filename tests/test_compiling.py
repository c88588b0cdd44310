import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AbstractDevice, AbstractMesh

from jaxpath import compiling, data, explainers, metrics, targets
from jaxpath.devices import make_eval_step, make_mesh
from jaxpath.targets.resnet import BasicBlock, ResNet
from jaxpath.training import TrainState, make_train_step
from jaxpath.types import Preprocessing


def chained(x):
    """Two readers of one sum; XLA would compute the sum in each of them."""
    once = compiling.computed_once(jnp.tanh(x) + 1)
    return once, jnp.exp(once) * 2


def barriers(program):
    return program.lower(jnp.ones(1024)).compile().as_text().count(" opt-barrier(")


def test_what_is_computed_once_stays_so_where_jit_compiles_and_is_forgotten_elsewhere():
    assert barriers(compiling.jit(chained)) == 1
    assert barriers(jax.jit(chained)) == 0


def test_values_and_gradients_stay_the_same():
    x = jnp.linspace(-2, 2, 9)

    def total(x):
        once, twice = chained(x)
        return (once * twice).sum()

    plain = (jnp.tanh(x) + 1) * jnp.exp(jnp.tanh(x) + 1) * 2
    np.testing.assert_allclose(compiling.jit(total)(x), plain.sum(), rtol=1e-6)
    slope = (jnp.exp(jnp.tanh(x) + 1) * 2 * (jnp.tanh(x) + 2)) * (1 - jnp.tanh(x) ** 2)
    np.testing.assert_allclose(compiling.jit(jax.grad(total))(x), slope, rtol=1e-5)


def test_a_trace_knows_whether_its_barriers_will_hold():
    answers = []

    def note(x):
        answers.append(compiling.barriers_hold())
        return x

    program = jax.jit(note)
    compiling.jit(program)(1.0)
    program(1.0)
    assert answers == [True, False]  # a trace of the one is not taken for the other
    with pytest.raises(ZeroDivisionError):
        compiling.jit(lambda x: x / (1 // 0))(1.0)
    assert not compiling.barriers_hold()


def test_arguments_keep_their_names():
    def power(x, exponent):
        return x**exponent

    assert compiling.jit(power, static_argnames="exponent")(2.0, exponent=3) == 8


def test_every_activation_and_every_gate_of_a_target_is_computed_once():
    target = targets.resnet8(image_size=8)
    params = jax.eval_shape(target.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    gates = {site.name: jax.ShapeDtypeStruct((2, site.channels), jnp.float32) for site in target.sites}
    program = compiling.jit(target.apply).lower(params, images, gates).compile().as_text()
    # What is rectified, the gate, and their product.
    assert program.count(" opt-barrier(") == 3 * len(target.sites)


def test_the_option_travels_into_sharded_programs():
    mesh = make_mesh()
    spec = jax.sharding.PartitionSpec("data")
    assert mesh.axis_names == ("data",)
    sharded = jax.shard_map(chained, mesh=mesh, in_specs=spec, out_specs=spec)
    assert barriers(compiling.jit(sharded)) == 1


def pooled_resnet():
    """A target with pools and with convolutions that a CPU computes by forms of its own."""
    preprocessing = targets.make_preprocessing((32, 24))
    module = ResNet(BasicBlock, (1, 1), 3, width=8)
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def traced_steps(mesh):
    """A training step and an evaluation step for a mesh, traced for its devices and not run."""
    target = pooled_resnet()
    variables = jax.eval_shape(target.init, jax.random.key(0))
    params, statistics = variables["params"], {"batch_stats": variables["batch_stats"]}

    def objective(params, extra, frozen, batch, keys):
        output, updated = target.train_apply(
            {"params": params, **extra}, batch["image"], key=keys, axis_name="data"
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(output.logits, batch["label"])
        return losses, ({"batch_stats": updated["batch_stats"]}, {})

    def evaluate(params, frozen, batch):
        return {"logits": target.apply(params, batch["image"]).logits}

    count = 8 * mesh.size
    batch = {"label": jax.ShapeDtypeStruct((count,), jnp.int32)}
    batch |= {"position": batch["label"], "image": jax.ShapeDtypeStruct((count, 32, 24, 3), jnp.uint8)}
    optimizer = optax.sgd(0.1)
    state = TrainState(
        step=jax.ShapeDtypeStruct((), jnp.int32),
        params=params,
        opt_state=jax.eval_shape(optimizer.init, params),
        extra=statistics,
        key=jax.eval_shape(lambda: jax.random.key(0)),
    )
    return (
        make_train_step(objective, optimizer, mesh).trace(state, {}, batch),
        make_eval_step(evaluate, mesh).trace(variables, {}, batch),
    )


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_steps_for_an_accelerators_mesh_hold_xlas_own_operations_on_a_host_without_one(platform):
    device = AbstractDevice("of any kind", None, platform)
    for traced in traced_steps(AbstractMesh((2,), ("data",), abstract_device=device)):
        listing, program = str(traced.jaxpr), traced.lower(lowering_platforms=(platform,)).as_text()
        assert listing.count("conv_general_dilated[") == program.count("stablehlo.convolution") > 0
        assert "reduce_window" in listing
        for special in ("optimization_barrier", "convolution_by_shape"):
            assert special not in listing and special not in program


def test_steps_for_a_cpus_mesh_hold_its_forms():
    for traced in traced_steps(make_mesh(jax.devices()[:2])):
        listing = str(traced.jaxpr)
        assert "optimization_barrier" in listing and "convolution_by_shape" in listing
        assert "reduce_window" not in listing


def test_a_trace_for_a_cpu_that_is_lowered_for_another_device_convolves_by_xla():
    target = pooled_resnet()
    params = jax.eval_shape(target.init, jax.random.key(0))
    traced = jax.jit(target.apply).trace(params, jax.ShapeDtypeStruct((8, 32, 24, 3), jnp.uint8))
    count = str(traced.jaxpr).count("convolution_by_shape")
    program = traced.lower(lowering_platforms=("tpu",)).as_text()
    assert program.count("stablehlo.convolution") == count > 0


def test_the_default_device_decides_where_no_mesh_does():
    assert compiling.platform() == "cpu"
    with compiling.traced_for("tpu"):
        assert compiling.platform() == "tpu"
        with jax.default_device(jax.devices("cpu")[0]):
            assert compiling.platform() == "tpu"
        assert compiling.jit(lambda: compiling.platform() == "cpu", platform="cpu")()
    with jax.default_device("cpu"):
        assert compiling.platform() == "cpu"


def test_on_an_accelerator_products_of_float32_numbers_are_exact_unless_a_precision_is_chosen():
    x = jnp.ones((2, 2))

    def listing(platform):
        # A function of its own: JAX would take the trace of another platform.
        return str(compiling.jit(lambda x: x @ x, platform=platform).trace(x).jaxpr)

    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in listing("tpu")
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in listing("cuda")
    assert "HIGHEST" not in listing("cpu")
    with jax.default_matmul_precision("bfloat16"):
        assert "HIGHEST" not in listing("tpu")


@pytest.mark.parametrize(("batch", "hidden"), [(2, 2), (3, 3), (4, 2), (2, 6), (2, 8)])
def test_metrics_of_a_dense_network_of_a_few_neurons_compile(batch, hidden):
    rng = np.random.default_rng(0)
    params = {"first": rng.random((2, hidden), np.float32), "last": rng.random((hidden, 2), np.float32)}

    def forward(params, images):
        return jax.nn.relu(images.reshape(len(images), -1) @ params["first"]) @ params["last"]

    preprocessing = Preprocessing(None, (1, 2), (0.0,), (1.0,))
    target = targets.adapt_function(forward, init=lambda key: params, name="few", preprocessing=preprocessing)
    session = metrics.Session(target, params, make_mesh(jax.devices()[:1]), batch_size=batch)
    images = np.array([[[255, 0]], [[0, 255]], [[255, 51]]], np.uint8)
    passes = metrics.source_passes(session, data.ArraySource(images, np.array([0, 1, 0])))
    method = metrics.Method.of("all", explainers.make_taylor_signed(target, density=1.0))
    records = metrics.explain_all(session, method, passes)
    assert metrics.evaluate_records(session, records, passes)["fidelity"] == 1
