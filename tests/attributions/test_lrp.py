"""Relevance propagation against NumPy, its conservation, and the sums of the signed pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_network import forward, small_images, small_params, small_target

from jaxpath import attributions, layers, targets
from jaxpath.attributions.tape import Block, Node, Tape
from jaxpath.targets.deit import DeiT
from jaxpath.targets.resnet import BasicBlock, ResNet
from jaxpath.types import InputError, TargetOutput

TARGET, LABELS = small_target(), jnp.array([1, 2])
BIASED = small_params((0.1, -0.2, 0.3, 0.05))
LOW, HIGH = (0 - np.array([0.5, 0.4])) / [0.2, 0.25], (1 - np.array([0.5, 0.4])) / [0.2, 0.25]


def attribute(params, rules=None):
    run = jax.jit(attributions.make_lrp(TARGET, rules=rules, reduce=attributions.unreduced))
    return np.asarray(run(params, small_images(), LABELS, key=jax.random.key(0)))


def slow_layer(a, w, bias, relevance, gamma=0.0):
    """The rule of Montavon et al. for one dense layer, input by input and output by output."""
    shares = np.zeros_like(a)
    products = a[:, None] * w
    z = products.sum(axis=0) + bias
    for j in range(w.shape[1]):
        sign = 1 if z[j] > 0 else -1
        counted = products[:, j] + gamma * sign * np.maximum(sign * products[:, j], 0)
        full = counted.sum() + bias[j] + gamma * sign * max(sign * bias[j], 0)
        shares += counted * relevance[j] / full if full else 0
    return shares


def slow_relevance(params, image, label, *, gammas):
    """Pixels, first ReLU, average and dense ReLU, logit; one gamma per block."""
    a, b, c, bias = (np.asarray(params[name], np.float64) for name in ("a", "b", "c", "bias"))
    _, a1, _, a2, logits = forward(params, image)
    start = np.eye(len(logits))[label] * logits
    relevance = slow_layer(a2, c, np.zeros(3), start, gammas[2])
    flat = a1.reshape(-1)
    weights = np.tile(b, (6, 1)) / 6
    relevance = slow_layer(flat, weights, np.zeros(5), relevance, gammas[1]).reshape(a1.shape)
    pairs = zip(image.reshape(6, 2), relevance.reshape(6, 4), strict=True)
    pixels = [slow_layer(x, a, bias, r, gammas[0]) for x, r in pairs]
    return np.reshape(pixels, image.shape)


@pytest.mark.parametrize(
    ("rules", "gammas"),
    [(attributions.EPSILON, (0, 0, 0)), (attributions.GAMMA, (0.25, 0.25, 0.25))],
    ids=["epsilon", "gamma"],
)
def test_the_relevance_is_that_of_sums_over_single_products(rules, gammas):
    outcome = attribute(BIASED, rules)
    for image, label, values in zip(small_images(), LABELS, outcome, strict=True):
        expected = slow_relevance(BIASED, image.astype(np.float64), int(label), gammas=gammas)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


def test_the_box_rule_for_one_layer_by_hand():
    params = small_params()
    rules = attributions.composite_rules(TARGET)._replace(maps=attributions.epsilon_rule)
    outcome = attribute(params, rules)
    a = np.asarray(params["a"], np.float64)
    for image, label, values in zip(small_images().astype(np.float64), LABELS, outcome, strict=True):
        # The relevance of the first ReLU, by the epsilon rule: pixels are its only unknown.
        _, a1, _, a2, logits = forward(params, image)
        relevance = slow_layer(
            a2, np.asarray(params["c"], np.float64), np.zeros(3), np.eye(3)[label] * logits
        )
        weights = np.tile(np.asarray(params["b"], np.float64), (6, 1)) / 6
        relevance = slow_layer(a1.reshape(-1), weights, np.zeros(5), relevance).reshape(a1.shape)
        parts = image[..., None] * a - LOW[:, None] * np.maximum(a, 0) - HIGH[:, None] * np.minimum(a, 0)
        expected = (parts / parts.sum(axis=2, keepdims=True) * relevance[:, :, None]).sum(axis=-1)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "rules", [attributions.EPSILON, attributions.GAMMA, None], ids=["eps", "gamma", "box"]
)
def test_without_biases_the_relevance_of_an_image_is_its_logit(rules):
    params = small_params()
    logits = TARGET.apply(params, small_images()).logits[np.arange(2), LABELS]
    np.testing.assert_allclose(attribute(params, rules).sum(axis=(1, 2, 3)), logits, rtol=2e-3)


def without_biases(params):
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: 0 * leaf if path[-1].key in ("bias", "mean") else leaf, params
    )


@pytest.mark.parametrize(
    ("name", "rules"),
    [("resnet", attributions.GAMMA), ("lenet", attributions.EPSILON)],
    ids=["resnet", "lenet"],
)
def test_real_networks_without_biases_conserve_relevance(name, rules):
    if name == "resnet":
        module = ResNet(BasicBlock, (1, 1), 3, width=4)
        preprocessing = targets.make_preprocessing((12, 12))
        target = targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)
    else:
        target = targets.lenet(num_classes=3, image_size=8)
    params = without_biases(target.init(jax.random.key(1)))
    channels = len(target.preprocessing.mean)
    images = np.random.default_rng(0).uniform(size=(2, *target.preprocessing.crop, channels))
    images = images.astype(np.float32)
    run = jax.jit(attributions.make_lrp(target, rules=rules))
    relevance = run(params, images, LABELS, key=jax.random.key(0))
    logits = jax.jit(target.apply)(params, images).logits[np.arange(2), LABELS]
    np.testing.assert_allclose(relevance.sum(axis=(1, 2)), logits, rtol=0.02, atol=1e-3)
    assert np.abs(relevance).max() > 0


def test_one_block_holds_everything_between_two_activations():
    kernel = jnp.array([[1.0, -2.0], [3.0, 4.0]])

    def network(x):
        y = jax.nn.relu(x @ kernel)
        scaled = (y - 1.0) * jnp.array([[2.0, -1.0]])
        return jnp.concatenate([scaled + x, -y], axis=1) / 2.0

    x = jnp.array([[1.0, -0.5]])
    tape = Tape(("relu",))
    image, result = tape.trace(network, x)
    block = Block(result, tape.nodes)
    assert [leaf.kind for leaf in block.leaves] == ["input", "activation"]
    assert block.leaves[0] is image
    values = block.values()
    np.testing.assert_allclose(block.plain(values), network(x))
    up, down = block.signed(values)
    # y = relu((-0.5, -4)) = 0, so that only x is left: (1, -0.5) / 2, and zeros.
    np.testing.assert_allclose(up, [[0.5, 0, 0, 0]])
    np.testing.assert_allclose(down, [[0, -0.25, 0, 0]])
    up, down = block.signed([values[0], jnp.array([[3.0, 5.0]])])
    np.testing.assert_allclose(up, [[3.5, 0, 0, 0]])
    np.testing.assert_allclose(down, [[0, -2.75, -1.5, -2.5]])


def test_what_is_no_layer_is_held_fixed():
    def network(x):
        return x * jax.nn.softmax(x) + x**2

    tape = Tape(("relu",))
    _, result = tape.trace(network, jnp.array([[1.0, 2.0]]))
    assert isinstance(result, Node)
    (weights,) = jax.vjp(Block(result, tape.nodes).plain, [jnp.array([[1.0, 2.0]])])[1](jnp.ones((1, 2)))[0]
    np.testing.assert_allclose(weights, jax.nn.softmax(jnp.array([[1.0, 2.0]])), rtol=1e-6)


def test_logits_that_no_layer_leads_to_are_refused():
    target = TARGET._replace(
        apply=lambda params, images, gates=None: TARGET.apply(params, jnp.exp(images), gates)._replace(
            logits=jnp.exp(images).mean(axis=(1, 2))
        )
    )
    with pytest.raises(InputError, match="relevance cannot"):
        attributions.make_lrp(target)(BIASED, small_images(), LABELS, key=jax.random.key(0))


def test_a_convolution_that_a_cpu_computes_by_winograds_products_is_taken_apart_as_defined():
    """The weights of each sign are the convolution's: 48 channels, against XLA's own form."""
    draw = np.random.default_rng(0)
    kernel = jnp.asarray(draw.normal(size=(3, 3, 48, 48)) / 20, jnp.float32)
    images = jnp.asarray(draw.normal(size=(2, 9, 9, 48)), jnp.float32)

    def sums(convolve):
        tape = Tape(("relu",))
        _, result = tape.trace(lambda x: convolve(x, kernel, (1, 1), "VALID"), images)
        return Block(result, tape.nodes).signed([images])

    def plain(*arguments):
        return jax.lax.conv_general_dilated(*arguments, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    for outcome, expected in zip(sums(layers.conv_general_dilated), sums(plain), strict=True):
        np.testing.assert_allclose(outcome, expected, rtol=1e-4, atol=1e-4)


def test_the_box_rule_serves_pixels_beside_other_values_of_the_same_block():
    rng = np.random.default_rng(3)
    a, b, c = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 4), (2, 3), (4, 3)))

    def apply(params, images, gates=None):
        pixel = images[:, 0, 0]
        return TargetOutput(pixel @ params["b"] + jax.nn.relu(pixel @ params["a"]) @ params["c"], {})

    target = TARGET._replace(apply=apply, preprocessing=TARGET.preprocessing._replace(crop=(1, 1)))
    images = small_images()[:1, :1, :1]
    run = attributions.make_lrp(target, reduce=attributions.unreduced)
    found = run({"a": a, "b": b, "c": c}, images, jnp.array([1]), key=jax.random.key(0))

    def boxed(x, w):
        return x[:, None] * w - LOW[:, None] * np.maximum(w, 0) - HIGH[:, None] * np.minimum(w, 0)

    x = np.asarray(images, np.float64).reshape(2)
    hidden = np.maximum(x @ a, 0)
    direct, through = boxed(x, b)[:, 1], hidden * c[:, 1]
    logit = x @ b[:, 1] + hidden @ c[:, 1]
    share = logit / (direct.sum() + through.sum())
    parts = boxed(x, a)
    expected = direct * share + (parts / parts.sum(axis=0) * (through * share)).sum(axis=1)
    np.testing.assert_allclose(np.reshape(found, 2), expected, rtol=1e-3)


def test_every_method_of_relevance_explains_a_transformer():
    module = DeiT(3, 8, 2, depth=2, patch=4, dtype=jnp.float32)
    target = targets.from_linen(
        module, name="small", num_classes=3, preprocessing=targets.make_preprocessing((8, 8))
    )
    params = target.init(jax.random.key(0))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    for name in ("lrp_epsilon", "lrp_gamma", "lrp_composite"):
        run = jax.jit(attributions.make_attribution(name, target))
        maps = run(params, images, jnp.array([0, 1]), key=jax.random.key(0))
        assert maps.shape == (2, 8, 8) and np.isfinite(maps).all() and np.abs(maps).max() > 0
