"""Foreign classifiers: which of their calls are sites, and what is refused. Contracts: tests/contracts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from foreign_models import (
    NUM_CLASSES,
    PREPROCESSING,
    LinenCNN,
    NnxCNN,
    channels_first,
    foreign_resnet8,
    linen_cnn,
    linen_vit,
    nnx_cnn,
)
from jax.sharding import Mesh, PartitionSpec

from jaxpath import targets
from jaxpath.types import InputError, Site

BATCH = 8


def images(target, seed=0):
    shape = (BATCH, *target.preprocessing.shape)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def random_gates(target, seed=1):
    rng = np.random.default_rng(seed)
    return {s.name: rng.integers(0, 2, (BATCH, s.channels)).astype(np.float32) for s in target.sites}


def adapt(activation, *, head=lambda logits: logits, **options):
    """A layer of four channels, ``activation``, an average and a readout."""

    def forward(params, x):
        hidden = activation(x @ params["layer"])
        return head(hidden.mean(axis=(1, 2)) @ params["readout"])

    def init(key):
        layer, readout = jax.random.split(key)
        return {"layer": jax.random.normal(layer, (1, 4)), "readout": jax.random.normal(readout, (4, 3))}

    return targets.adapt_function(forward, init=init, name="small", preprocessing=PREPROCESSING, **options)


def test_resnet8_as_a_foreign_model_has_the_activations_and_the_gated_logits_of_the_native_one():
    native = targets.resnet8(num_classes=NUM_CLASSES, image_size=8, channels=1)
    foreign = foreign_resnet8()
    assert [site[1:] for site in foreign.sites] == [site[1:] for site in native.sites]
    params, x = native.init(jax.random.key(0)), images(native)
    gates = random_gates(native)
    renamed = {site.name: gates[own.name] for site, own in zip(foreign.sites, native.sites, strict=True)}
    expected, result = jax.jit(native.apply)(params, x, gates), jax.jit(foreign.apply)(params, x, renamed)
    np.testing.assert_array_equal(result.logits, expected.logits)
    for site, own in zip(foreign.sites, native.sites, strict=True):
        np.testing.assert_array_equal(result.features[site.name], expected.features[own.name])


def test_a_linen_module_gives_sites_named_by_its_submodules_and_its_own_logits():
    target = linen_cnn()
    assert target.sites == (
        Site("000.relu", 6, (10, 9)),
        Site("001.block.relu", 6, (10, 9)),
        Site("002.silu", 8, (5, 5)),
        Site("003.gelu", 12, None),
    )
    params, x = target.init(jax.random.key(0)), images(target)
    expected = jax.jit(lambda params, x: LinenCNN().apply(params, x, train=False))(params, x)
    np.testing.assert_allclose(jax.jit(target.apply)(params, x).logits, expected, atol=1e-5)


def test_tokens_of_a_scan_and_channels_that_come_first_are_the_sites_of_the_contracts():
    assert [site[1:3] for site in linen_vit().sites] == [(12, (7,))] * 3
    assert [site[1:3] for site in channels_first().sites] == [(4, (10, 9)), (8, (5, 5)), (8, (5, 5))]


def test_a_trained_nnx_module_gives_its_own_logits_with_its_running_statistics():
    target = nnx_cnn()
    assert [site[1:] for site in target.sites] == [(6, (10, 9)), (8, (5, 5)), (12, None)]
    module, x = NnxCNN(rngs=nnx.Rngs(7)), images(target)
    module.train()
    nnx.jit(lambda module, x: module(x))(module, x + 3)  # moves the statistics
    params = targets.nnx_params(module)
    assert np.abs(params["norm1"]["mean"]).max() > 0
    module.eval()
    expected = nnx.jit(lambda module, x: module(x))(module, x)
    np.testing.assert_allclose(jax.jit(target.apply)(params, x).logits, expected, atol=1e-5)


def test_closing_a_site_equals_the_function_without_it():
    target = adapt(nn.relu, head=lambda logits: logits + 1)
    params, x = target.init(jax.random.key(0)), images(target)
    closed = {target.sites[0].name: jnp.zeros((BATCH, 4))}
    np.testing.assert_array_equal(target.apply(params, x, closed).logits, np.ones((BATCH, 3)))


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (nn.relu, "relu"),
        (jax.jit(jax.jit(nn.relu6)), "relu6"),
        (jax.checkpoint(nn.leaky_relu), "leaky_relu"),
        (lambda x: jnp.maximum(jnp.zeros_like(x), x), "relu"),
        (jax.vmap(nn.relu), "relu"),
        (lambda x: x * nn.sigmoid(x), "silu"),
        (lambda x: nn.gelu(x, approximate=False), "gelu"),
        (lambda x: nn.hard_silu(x), "hard_silu"),
    ],
)
def test_an_activation_is_found_however_it_is_written(activation, name):
    target = adapt(activation)
    assert target.sites == (Site(f"000.{name}", 4, (10, 9)),)
    params, x = target.init(jax.random.key(0)), images(target)
    np.testing.assert_allclose(
        target.apply(params, x).features[f"000.{name}"], activation(x @ params["layer"]), atol=1e-6
    )


def test_what_is_no_activation_of_the_images_is_no_site():
    def forward(params, x):
        kernel = nn.relu(params["layer"])  # of the weights
        x = nn.relu(x @ kernel)
        x = x * nn.sigmoid(x.mean(axis=(1, 2), keepdims=True))  # squeeze and excite
        mean = x.mean(axis=-1, keepdims=True)
        variance = jnp.maximum(0.0, jnp.square(x).mean(axis=-1, keepdims=True) - jnp.square(mean))
        return ((x - mean) * jax.lax.rsqrt(variance + 1e-6)).mean(axis=(1, 2))

    target = targets.adapt_function(
        forward, init=lambda key: {"layer": jnp.ones((1, 4))}, name="small", preprocessing=PREPROCESSING
    )
    assert target.sites == (Site("000.relu", 4, (10, 9)),)


def test_an_activation_of_ones_own_counts_by_its_name():
    @jax.jit
    def cubed(x):
        return nn.relu(x) ** 3

    assert adapt(cubed, activations=["cubed"]).sites == (Site("000.cubed", 4, (10, 9)),)


def test_gradients_at_zero_are_those_of_the_activation():
    """jax.nn.relu has derivative 0 there and max(x, 0) one half."""
    target = adapt(nn.relu)
    params = {"layer": jnp.zeros((1, 4)), "readout": jnp.ones((4, 3))}
    gradient = jax.grad(lambda p: target.apply(p, images(target)).logits.sum())(params)
    np.testing.assert_array_equal(gradient["layer"], np.zeros((1, 4)))


@pytest.mark.parametrize("make", [linen_cnn, nnx_cnn, foreign_resnet8])
def test_devices_and_vmap_change_nothing(make):
    target = make()
    params, x, gates = target.init(jax.random.key(0)), images(target), random_gates(target)

    def logits(params, x, gates):
        return target.apply(params, x, gates).logits

    expected = jax.jit(logits)(params, x, gates)
    assert np.ptp(expected) > 0
    batch = PartitionSpec("devices")
    mesh = Mesh(np.array(jax.devices()), "devices")
    sharded = jax.shard_map(logits, mesh=mesh, in_specs=(PartitionSpec(), batch, batch), out_specs=batch)
    np.testing.assert_allclose(jax.jit(sharded)(params, x, gates), expected, atol=1e-5)
    halves = jax.tree.map(lambda a: a.reshape(2, BATCH // 2, *a.shape[1:]), (x, gates))
    mapped = jax.jit(jax.vmap(logits, in_axes=(None, 0, 0)))(params, *halves)
    np.testing.assert_allclose(mapped.reshape(expected.shape), expected, atol=1e-5)


def awaited(x):
    return jax.lax.while_loop(lambda x: x.sum() < 0, lambda x: nn.relu(x) + 1, x)


def chosen(x):
    return jax.lax.cond(x.sum() > 0, nn.relu, nn.silu, x)


@jax.custom_vjp
def derived(x):
    return nn.relu(x)


derived.defvjp(lambda x: (derived(x), None), lambda _, gradient: (gradient,))


@pytest.mark.parametrize(
    ("activation", "said"),
    [
        (awaited, "inside a 'while'"),
        (chosen, "inside a 'cond'"),
        (derived, "inside a 'custom_vjp_call'"),
        (nn.softplus, "no activation was found in small; expected one of celu"),
    ],
)
def test_what_cannot_be_gated_is_refused_with_the_way_to_do_it_by_hand(activation, said):
    with pytest.raises(InputError, match=said) as error:
        adapt(activation)
    assert "write the target by hand (docs/own-models.md)" in str(error.value)


def test_a_function_that_returns_more_than_logits_is_refused():
    with pytest.raises(InputError, match="returned no array for 2 images; expected logits"):
        adapt(nn.relu, head=lambda logits: (logits, 1))
    with pytest.raises(InputError, match=r"returned shape \(2, 3, 1\) for 2 images; expected logits"):
        adapt(nn.relu, head=lambda logits: logits[..., None])


def test_a_linen_module_that_trains_is_refused_with_the_option_to_pass():
    with pytest.raises(InputError, match="pass the option that switches them off, such as train=False"):
        targets.adapt_linen(LinenCNN(), name="training", preprocessing=PREPROCESSING)


def test_images_on_which_the_function_does_something_else_are_refused():
    target = adapt(lambda x: nn.relu(nn.relu(x)) if x.shape[1] > 10 else nn.relu(x))
    with pytest.raises(InputError, match=r"calls 2 activations on .* \(1, 12, 9, 1\); expected the 1"):
        target.apply(target.init(jax.random.key(0)), np.zeros((1, 12, 9, 1), np.float32))


def test_an_adapted_classifier_is_not_trained_here():
    target = linen_cnn()
    with pytest.raises(InputError, match="train it with its own code"):
        target.train_apply(None, images(target), key=jax.random.key(0))


class NeedsTrain(nnx.Module):
    def __init__(self, *, rngs):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x, *, train):
        return self.head(nnx.relu(self.conv(x)).mean((1, 2)))


@pytest.mark.parametrize("way", ["class", "instance", "maker of it"])
def test_an_nnx_module_may_be_a_class_an_instance_or_made_by_a_function(way):
    trained = NnxCNN(rngs=nnx.Rngs(3))
    module = {"class": NnxCNN, "instance": trained, "maker of it": lambda rngs: trained}[way]
    target = targets.adapt_nnx(module, name="n", preprocessing=PREPROCESSING)
    assert len(target.sites) == 3
    params = target.init(jax.random.key(0))
    if way != "class":
        jax.tree.map(np.testing.assert_array_equal, params, targets.nnx_params(trained))
    assert trained.dropout.deterministic is not True  # yours stays as it is


def test_options_of_an_nnx_module_are_passed_on_and_checked():
    target = targets.adapt_nnx(NeedsTrain, name="n", preprocessing=PREPROCESSING, train=False)
    assert target.sites == (Site("000.relu", 4, (10, 9)),)
    with pytest.raises(
        InputError, match=r"no options: missing a required argument: 'train'; expected .* train"
    ):
        targets.adapt_nnx(NeedsTrain, name="n", preprocessing=PREPROCESSING)
    with pytest.raises(
        InputError, match="unexpected keyword argument 'training'; expected options among train"
    ):
        targets.adapt_nnx(NeedsTrain, name="n", preprocessing=PREPROCESSING, train=False, training=False)


def test_a_linen_module_is_asked_for_its_options_and_all_of_its_variables():
    with pytest.raises(
        InputError, match="unexpected keyword argument 'training'; expected options among train"
    ):
        targets.adapt_linen(LinenCNN(), name="l", preprocessing=PREPROCESSING, training=False)
    with pytest.raises(InputError, match="l was made of the class LinenCNN; expected a Linen module"):
        targets.adapt_linen(LinenCNN, name="l", preprocessing=PREPROCESSING, train=False)
    target = linen_cnn()
    params = target.init(jax.random.key(0))
    with pytest.raises(
        InputError, match=r"lack params/.* the variables \{'params': ..., 'batch_stats': ...\}"
    ):
        target.apply(params["params"], images(target))


class Slanted(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.PReLU()(nn.Conv(4, (3, 3))(x)).mean((1, 2)))


def test_a_linen_module_may_be_bound_to_its_variables_and_have_a_prelu():
    module = Slanted()
    params = module.init(jax.random.key(0), np.zeros((1, 10, 9, 1)))
    for given in (module, module.bind(params)):
        target = targets.adapt_linen(given, name="l", preprocessing=PREPROCESSING)
        assert [site.name.rpartition(".")[2] for site in target.sites] == ["prelu"]
        x = images(target)
        np.testing.assert_allclose(
            target.apply(params, x).logits, module.apply(params, x), rtol=1e-5, atol=1e-6
        )


def test_images_of_another_size_and_precision_are_taken_and_of_another_layout_refused():
    target = linen_cnn()
    params, x = target.init(jax.random.key(0)), images(target)
    assert target.apply(params, x.astype(np.float64)).logits.dtype == jnp.float32
    larger = np.zeros((2, 12, 14, 1), np.float32)
    assert target.apply(params, larger).features["000.relu"].shape == (2, 12, 14, 6)
    for wrong in (x.transpose(0, 3, 1, 2), x[0]):
        with pytest.raises(InputError, match=r"images of shape .*; expected \[B, H, W, 1\]"):
            target.apply(params, wrong)
