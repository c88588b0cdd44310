"""What every target promises, one suite over all families; a new one enters TRAINABLE or ADAPTED."""

import inspect
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from foreign_models import channels_first, foreign_resnet8, linen_cnn, linen_vit, nnx_cnn
from small_targets import COMPETITORS, TRAINABLE
from user_settings import jit_as_for_users

from jaxpath import targets
from jaxpath.types import Competition, InputError, Params, Target

ADAPTED = {
    "linen_cnn": linen_cnn,
    "nnx_cnn": nnx_cnn,
    "linen_vit": linen_vit,
    "channels_first": channels_first,
    "foreign_resnet8": foreign_resnet8,
}
TARGETS = {**TRAINABLE, **ADAPTED}
BATCH = 3

each_target = pytest.mark.parametrize("name", TARGETS)


@cache
def make(name: str) -> tuple[Target, Params]:
    """A target none of whose biases and running statistics is at its neutral value."""
    target = TARGETS[name]()
    random = np.random.default_rng(0)

    def disturbed(leaf):
        return leaf + random.uniform(0, 0.2, leaf.shape).astype(np.float32) if leaf.ndim == 1 else leaf

    return target, jax.tree.map(disturbed, target.init(jax.random.key(0)))


@cache
def compiled(name: str):
    """One jitted ``apply`` per target, so that tests share its programs: compiled as it is for users."""
    return jit_as_for_users(make(name)[0].apply)


def make_images(target: Target, count: int = BATCH) -> np.ndarray:
    shape = (count, *target.preprocessing.shape)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def make_floats(target: Target) -> np.ndarray:
    """The same images, normalised by hand."""
    mean, std = np.asarray(target.preprocessing.mean), np.asarray(target.preprocessing.std)
    return ((make_images(target) / 255 - mean) / std).astype(np.float32)


def open_gates(target: Target, batch: int = BATCH) -> dict[str, np.ndarray]:
    return {site.name: np.ones((batch, site.channels), np.float32) for site in target.sites}


def unit_shape(site, batch: int = BATCH) -> tuple[int, ...]:
    return (batch, *(site.spatial or ()), site.channels)


def assert_close(result, expected, tolerance=1e-5):
    """Equal up to a share of the largest value."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * float(np.abs(expected).max()))


@each_target
def test_all_ones_gates_reproduce_everything_bit_for_bit(name):
    target, params = make(name)
    images = make_images(target)
    clean = compiled(name)(params, images)
    gated = compiled(name)(params, images, open_gates(target))
    np.testing.assert_array_equal(clean.logits, gated.logits)
    for site in target.sites:
        np.testing.assert_array_equal(clean.features[site.name], gated.features[site.name])
    assert np.isfinite(clean.logits).all() and np.ptp(clean.logits) > 0


@each_target
def test_the_features_are_the_sites_in_forward_order(name):
    target, params = make(name)
    # Traced inside, because a dict that crosses jit's border comes back sorted.
    order = []

    def run(params, images):
        output = target.apply(params, images)
        order.extend(output.features)
        return output

    shapes = jax.eval_shape(run, params, make_images(target)).features
    assert order == [site.name for site in target.sites] == sorted(order)
    for site in target.sites:
        assert shapes[site.name].shape == unit_shape(site)


@each_target
def test_sites_are_found_where_the_forward_pass_reaches_them_in_time(name):
    target, params = make(name)
    images, gates = make_images(target), open_gates(target)
    middle = len(target.sites) // 2
    gates[target.sites[middle].name][:] = 0
    clean = compiled(name)(params, images).features
    gated = compiled(name)(params, images, gates).features
    for position, site in enumerate(target.sites):
        if position < middle:
            np.testing.assert_array_equal(clean[site.name], gated[site.name])
    assert not np.any(gated[target.sites[middle].name])
    after = target.sites[middle + 1].name
    assert np.any(clean[after] != gated[after])


@each_target
def test_a_closed_channel_is_zero_for_its_image_only(name):
    target, params = make(name)
    images = make_images(target)
    clean = compiled(name)(params, images).features
    site = target.sites[1].name
    channel = int(np.argmax(np.abs(clean[site]).reshape(-1, target.sites[1].channels).max(axis=0)))
    gates = open_gates(target)
    gates[site][1, channel] = 0
    gated = compiled(name)(params, images, gates).features
    expected = np.array(clean[site])
    expected[1, ..., channel] = 0
    np.testing.assert_array_equal(gated[site], expected)


@each_target
def test_unit_gates_on_normalised_floats_agree_with_raw_images(name):
    target, params = make(name)
    gates = {site.name: np.ones(unit_shape(site), np.float32) for site in target.sites}
    last = [site for site in target.sites if site.spatial][-1]
    raw = compiled(name)(params, make_images(target))
    floats = compiled(name)(params, make_floats(target), gates)
    assert_close(floats.logits, raw.logits)
    gates[last.name][:, 0] = 0  # a row of the map, or a token
    closed = compiled(name)(params, make_floats(target), gates).features[last.name]
    expected = np.array(floats.features[last.name])
    expected[:, 0] = 0
    np.testing.assert_array_equal(closed, expected)


@each_target
def test_a_batch_gives_what_its_images_give_alone(name):
    target, params = make(name)
    images = make_images(target)
    together = compiled(name)(params, images)
    for index in range(BATCH):
        # In a batch of copies, which takes no other program.
        alone = compiled(name)(params, np.repeat(images[index : index + 1], BATCH, axis=0))
        assert_close(alone.logits[0], np.asarray(together.logits[index]))


@each_target
def test_a_gate_for_an_unknown_site_lists_the_sites(name):
    target, params = make(name)
    with pytest.raises(InputError, match="nowhere") as error:
        target.apply(params, make_images(target), {"nowhere": jnp.ones((BATCH, 1))})
    assert all(site.name in str(error.value) for site in target.sites)


@each_target
def test_a_gate_of_another_shape_names_site_and_shapes(name):
    target, params = make(name)
    site = target.sites[0]
    with pytest.raises(InputError) as error:
        target.apply(params, make_images(target), {site.name: jnp.ones((BATCH, site.channels + 1))})
    for part in (site.name, str((BATCH, site.channels + 1)), str((BATCH, site.channels))):
        assert part in str(error.value)


@each_target
def test_images_of_another_number_of_channels_or_type_are_refused(name):
    target, params = make(name)
    with pytest.raises(InputError, match="expected"):
        target.apply(params, np.zeros((BATCH, *target.preprocessing.crop, 2), np.uint8))
    with pytest.raises(InputError, match="int32"):
        target.apply(params, make_images(target).astype(np.int32))


@each_target
def test_gradients_reach_the_gates_of_every_site(name):
    target, params = make(name)

    def loss(gates, params, images):
        return jax.nn.log_softmax(target.apply(params, images, gates).logits)[:, 0].sum()

    gradients = jax.jit(jax.grad(loss))(open_gates(target), params, make_images(target))
    for site in target.sites:
        assert np.isfinite(gradients[site.name]).all()
        assert np.abs(gradients[site.name]).max() > 0


@pytest.mark.parametrize(
    "name",
    # Its squeeze and excitation take half a minute to compile.
    [pytest.param(name, marks=[pytest.mark.slow] if name == "efficientnet" else []) for name in TARGETS],
)
def test_derivatives_forward_in_reverse_and_twice_agree(name):
    """With u, v and w any directions: <u, J v> = <J' u, v>, and <w, H v> = <v, H w>."""
    target, params = make(name)
    random = np.random.default_rng(2)

    def direction(values):
        return jax.tree.map(lambda leaf: random.normal(size=leaf.shape).astype(np.float32), values)

    def dot(a, b):
        return sum(jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))

    def logits(variables):
        return target.apply(*variables).logits

    def loss(variables):
        return jax.nn.log_softmax(logits(variables))[:, 0].sum()

    @jax.jit
    def derivatives(variables, u, v, w):
        y, forward = jax.jvp(logits, (variables,), (v,))
        linear = jax.linearize(logits, variables)[1](v)
        (back,) = jax.vjp(logits, variables)[1](u.astype(y.dtype))
        hessian = jax.linearize(jax.grad(loss), variables)[1]
        slopes, curvatures = (dot(u, forward), dot(back, v)), (dot(w, hessian(v)), dot(v, hessian(w)))
        return forward, linear, slopes, curvatures

    variables = params, make_floats(target)
    u = direction(np.zeros((BATCH, target.num_classes)))
    v, w = direction(variables), direction(variables)
    forward, linear, slopes, curvatures = derivatives(variables, u, v, w)
    assert_close(linear, np.asarray(forward))
    np.testing.assert_allclose(*slopes, rtol=1e-3)
    np.testing.assert_allclose(*curvatures, rtol=1e-2)
    assert abs(slopes[0]) > 0 and abs(curvatures[0]) > 0


@each_target
def test_bfloat16_computes_in_bfloat16_and_returns_float32_logits(name):
    target, params = make(name)
    half = TARGETS[name](dtype="bfloat16")
    images = make_images(target, 64 if name in COMPETITORS else BATCH)
    output = jax.jit(half.apply)(params, images)
    assert output.logits.dtype == jnp.float32
    assert {feature.dtype for feature in output.features.values()} == {jnp.dtype(jnp.bfloat16)}
    # Eight bits of mantissa, rounded in every layer; a rounded competition may have another winner, so that
    # a single image may differ by more.
    clean = np.asarray(compiled(name)(params, images).logits)
    errors = np.abs(np.asarray(output.logits) - clean).max(axis=1) / np.abs(clean).max()
    assert (errors.mean() if name in COMPETITORS else errors.max()) < 0.1
    assert (errors > 0.3).sum() <= (1 if name in COMPETITORS else 0)
    assert half.sites == target.sites
    dtypes = jax.tree.map(lambda leaf: leaf.dtype, jax.eval_shape(half.init, jax.random.key(0)))
    assert set(jax.tree.leaves(dtypes)) == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_returns_the_same_structure_and_moves_only_the_statistics(name):
    target, params = make(name)
    output, updated = jax.jit(target.train_apply)(params, make_images(target), key=jax.random.key(0))
    assert output.logits.shape == (BATCH, target.num_classes)
    assert jax.tree.map(jnp.shape, updated) == jax.tree.map(jnp.shape, params)
    jax.tree.map(np.testing.assert_array_equal, updated["params"], params["params"])
    statistics = params.get("batch_stats", {})
    assert ("batch_stats" in params) == (
        name not in ("vgg", "vgg_gap", "lenet", "normless", "digit_cnn", "deit", "vit", "convnext")
    )
    for before, after in zip(
        jax.tree.leaves(statistics), jax.tree.leaves(updated.get("batch_stats", {})), strict=True
    ):
        assert np.any(before != after)


@pytest.mark.parametrize("name", TARGETS)
def test_only_competing_units_draw(name):
    target, params = make(name)
    assert (target.sample_apply is not None) == (name in COMPETITORS)
    competitions = compiled(name)(params, make_images(target)).records(Competition)
    assert set(competitions) == ({site.name for site in target.sites} if name in COMPETITORS else set())


@pytest.mark.parametrize("name", COMPETITORS)
def test_a_draw_belongs_to_its_key_and_image_and_passes_one_of_each_block(name):
    target, params = make(name)
    images = make_images(target)
    draw = jax.jit(target.sample_apply)
    keys = jax.random.split(jax.random.key(7), BATCH)
    drawn = draw(params, images, key=keys)
    won = drawn.records(Competition)
    for site in target.sites:
        blocks = np.asarray(drawn.features[site.name]).reshape(BATCH, -1, COMPETITORS[name])
        assert ((blocks != 0).sum(axis=-1) == 1).all()
        winners = np.asarray(won[site.name].winners).reshape(BATCH, -1)
        np.testing.assert_array_equal((blocks != 0).argmax(axis=-1), winners)
    # The same images in another order, with their keys: as on another number of devices.
    turned = draw(params, images[::-1], key=keys[::-1]).records(Competition)
    for site in won:
        np.testing.assert_array_equal(turned[site].winners[::-1], won[site].winners)
    first = target.sites[0].name
    for output in (draw(params, images, key=jax.random.key(8)), compiled(name)(params, images)):
        assert np.any(output.records(Competition)[first].winners != won[first].winners)
    gates = {first: np.zeros((BATCH, target.sites[0].channels), np.float32)}
    assert not np.any(draw(params, images, gates, key=keys).features[first])


@pytest.mark.parametrize(
    ("name", "num_sites"),
    [
        ("resnet18", 1 + 2 * 8),
        ("resnet34", 1 + 2 * 16),
        ("resnet50", 1 + 3 * 16),
        ("resnet101", 1 + 3 * 33),
        ("resnet152", 1 + 3 * 50),
        ("resnet8", 1 + 2 * 3),
        ("resnet20", 1 + 2 * 9),
        ("resnet32", 1 + 2 * 15),
        ("resnet44", 1 + 2 * 21),
        ("resnet56", 1 + 2 * 27),
        ("resnet110", 1 + 2 * 54),
        ("vgg11", 8 + 2),
        ("vgg13", 10 + 2),
        ("vgg16", 13 + 2),
        ("vgg19", 16 + 2),
        ("vgg11_bn", 8 + 2),
        ("vgg13_bn", 10 + 2),
        ("vgg16_bn", 13 + 2),
        ("vgg19_bn", 16 + 2),
        *((f"vgg{depth}{norm}_gap", depth - 3) for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
        ("lenet", 2 + 1),
        ("resnet18_normless", 1 + 2 * 8 + 1),
        ("digit_cnn", 3 + 1),
        ("deit_tiny", 12),
        ("deit_small", 12),
        ("vit_tiny", 12),
        ("vit_small", 12),
        ("mobilenet_v2", 1 + 1 + 2 * 16 + 1),
        ("convnext_tiny", 3 + 3 + 9 + 3),
        ("efficientnet_b0", 1 + 2 + 3 * 15 + 1),
        ("resnet18_lwta8", 1 + 2 * 8),
        ("resnet34_lwta2", 1 + 2 * 16),
        ("resnet50_lwta4", 1 + 3 * 16),
        ("deit_tiny_lwta24", 12),
        ("deit_small_lwta16", 12),
    ],
)
def test_every_activation_call_is_a_site(name, num_sites):
    target = targets.make_target(name)
    assert target.name == name
    assert len(target.sites) == num_sites
    assert inspect.signature(target.apply).parameters["gates"].default is None


def test_all_names_are_counted_here():
    marks = test_every_activation_call_is_a_site.pytestmark[0]
    assert {name for name, _ in marks.args[1] if "_lwta" not in name} == set(targets.names())


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(InputError, match="resnet19") as error:
        targets.make_target("resnet19")
    assert all(name in str(error.value) for name in targets.names())
