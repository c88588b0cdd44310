"""Every form that a CPU has for a convolution, with its derivatives, against XLA's own."""

import jax
import jax.numpy as jnp
import pytest
from convolutions import draw, penalty_gradient, plain, with_gradients
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxpath import compiling
from jaxpath.cpu import choice
from jaxpath.devices import make_mesh
from jaxpath.layers import conv_general_dilated

LOOPS = {
    "few outputs": ((9, 40, 41, 14), (3, 3, 14, 13)),
    "few terms": ((10, 31, 30, 3), (3, 2, 3, 40)),
    "one term": ((6, 40, 40, 1), (2, 1, 1, 3)),
}
"""Images and kernels that a CPU convolves in one loop."""

SHAPES = {
    "im2col of a small output": ((2, 5, 7, 3), (3, 3, 3, 4), (1, 1)),
    "im2col of single pixels": ((2, 6, 9, 3), (1, 1, 3, 4), (2, 2)),
    "Winograd": ((5, 14, 15, 65), (3, 3, 65, 64), (1, 1)),
    "one loop": ((2, 46, 47, 2), (3, 2, 2, 5), (1, 1)),
    "one loop with strides": ((2, 96, 94, 2), (3, 2, 2, 5), (2, 2)),
    "XLA's": ((2, 9, 11, 5), (3, 3, 5, 4), (1, 1)),
    "XLA's with strides": ((2, 17, 20, 5), (3, 3, 5, 4), (2, 1)),
}
"""Form -> images, kernel, strides."""

each_form = pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)


@pytest.fixture(autouse=True)
def wide_vectors(monkeypatch):
    monkeypatch.setattr(choice, "has_wide_vectors", lambda: True)


OPERATIONS = {
    "im2col of a small output": (0, 1),
    "im2col of single pixels": (0, 1),
    "Winograd": (0, 12),
    "one loop": (0, 0),
    "one loop with strides": (0, 0),
    "XLA's": (1, 0),
    "XLA's with strides": (1, 0),
}
"""Form -> XLA's convolutions in its program, and products of matrices."""


def assert_agree(transform, shapes, *, tolerance=1e-4, compiled=compiling.jit):
    """``transform(convolve)(images, kernel)`` is the same for ours and for XLA's."""
    images, kernel, strides = shapes
    x, weights = draw(*images), draw(*kernel) / 8

    def run(convolution):
        def convolve(x, weights):
            return convolution(x, weights, strides, "SAME")

        return jax.tree.leaves(compiled(transform(convolve))(x, weights))

    for ours, theirs in zip(run(conv_general_dilated), run(plain), strict=True):
        assert ours.shape == theirs.shape
        assert jnp.abs(ours - theirs).max() <= tolerance * jnp.abs(theirs).max()


def directions(*arrays):
    """Other arrays of these shapes."""
    return tuple(jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in arrays)


def loss_of(convolve):
    return lambda *arguments: jnp.sin(convolve(*arguments)).sum()


@pytest.mark.parametrize("form", SHAPES)
def test_each_shape_reaches_its_form(form):
    images, kernel, strides = SHAPES[form]
    text = lowered(conv_general_dilated, (images, kernel), strides).as_text()
    assert (text.count("stablehlo.convolution"), text.count("stablehlo.dot_general")) == OPERATIONS[form]


@each_form
def test_forward_derivatives_agree_with_xla(shapes):
    assert_agree(lambda convolve: lambda *a: jax.jvp(convolve, a, directions(*a)), shapes)


@each_form
def test_linear_maps_agree_with_xla(shapes):
    assert_agree(lambda convolve: lambda *a: jax.linearize(convolve, *a)[1](*directions(*a)), shapes)


@each_form
def test_hessian_vector_products_agree_with_xla(shapes):
    """Forward over reverse, with respect to both at once."""

    def product(convolve):
        gradient = jax.grad(loss_of(convolve), argnums=(0, 1))
        return lambda *a: jax.jvp(gradient, a, directions(*a))[1]

    assert_agree(product, shapes)


@each_form
def test_gradients_of_directional_derivatives_agree_with_xla(shapes):
    """Reverse over forward."""

    def gradient(convolve):
        def slope(*a):
            return jax.jvp(loss_of(convolve), a, directions(*a))[1]

        return jax.grad(slope, argnums=(0, 1))

    assert_agree(gradient, shapes)


@each_form
def test_rematerialised_gradients_agree_with_xla(shapes):
    assert_agree(lambda convolve: jax.grad(jax.checkpoint(loss_of(convolve)), argnums=(0, 1)), shapes)


@each_form
@pytest.mark.parametrize("over", ["images", "kernels", "both"])
def test_gradients_over_a_further_axis_agree_with_xla(shapes, over):
    axes = {"images": (1, None), "kernels": (None, 4), "both": (0, 0)}[over]

    def many(array, axis):
        return array if axis is None else jnp.stack([array, 0.5 - array], axis)

    def gradient(convolve):
        def total(x, weights):
            arguments = many(x, axes[0]), many(weights, axes[1])
            return jax.vmap(loss_of(convolve), in_axes=axes)(*arguments).sum()

        return jax.grad(total, argnums=(0, 1))

    assert_agree(gradient, shapes)


def test_whole_hessians_agree_with_xla():
    shapes = ((1, 8, 9, 1), (3, 2, 1, 2), (1, 1))
    for argument in (0, 1):
        assert_agree(
            lambda convolve, argument=argument: jax.hessian(loss_of(convolve), argnums=argument), shapes
        )


@pytest.mark.parametrize("check_vma", [False, True])
def test_sharded_gradients_agree_with_xla(check_vma):
    mesh = make_mesh(jax.devices()[:2])

    def gradient(convolve):
        def one(x, weights):
            to_weights = jax.grad(loss_of(convolve), argnums=1)(x, weights)
            # Where JAX keeps track of what varies over devices, it adds up the gradient by itself.
            return to_weights if check_vma else lax.psum(to_weights, "data")

        specs = {"in_specs": (P("data"), P()), "out_specs": P()}
        return jax.shard_map(one, mesh=mesh, check_vma=check_vma, **specs)

    assert_agree(gradient, SHAPES["one loop"])


def test_single_operations_agree_with_xla():
    """Outside of any program."""
    assert_agree(
        lambda convolve: jax.grad(loss_of(convolve)), SHAPES["XLA's with strides"], compiled=lambda f: f
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((0, 2), (1, 0))])
@pytest.mark.parametrize(("size", "channels"), [((9, 16), (320, 64)), ((10, 13), (64, 96))])
def test_winograds_products_agree_with_xla(size, channels, padding):
    """Blocks of four do not divide the sides; forward, and both gradients."""
    x, weights = draw(11, *size, channels[0]), draw(3, 3, *channels) / 24

    result, expected = (
        with_gradients(convolve, x, weights, (1, 1), padding) for convolve in (conv_general_dilated, plain)
    )
    for ours, theirs in zip(result, expected, strict=True):
        assert jnp.abs(ours - theirs).max() <= 1e-4 * jnp.abs(theirs).max()
    assert not (result[-1] == expected[-1]).all(), "the shapes do not reach Winograd's products"


@pytest.mark.parametrize("read_once", [False, True])
@pytest.mark.parametrize(
    ("strides", "padding"), [((1, 1), "SAME"), ((1, 1), ((0, 2), (3, 1))), ((2, 1), "VALID")]
)
@pytest.mark.parametrize("shapes", LOOPS.values(), ids=LOOPS)
def test_one_loop_agrees_with_xla(shapes, strides, padding, read_once):
    x, weights = draw(*shapes[0]), draw(*shapes[1])

    def ours(*arguments):
        with compiling.read_once(read_once):
            return conv_general_dilated(*arguments)

    assert convolutions(ours, shapes, strides, padding) == 0
    result, expected = (
        with_gradients(convolve, x, weights, strides, padding, compiled=compiling.jit)
        for convolve in (ours, plain)
    )
    for mine, theirs in zip(result, expected, strict=True):
        assert jnp.abs(mine - theirs).max() <= 1e-5 * jnp.abs(theirs).max()


def lowered(convolve, shapes, strides=(1, 1), padding="SAME", *, compiled=compiling.jit):
    arguments = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    return compiled(lambda x, weights: convolve(x, weights, strides, padding)).lower(*arguments)


def convolutions(*arguments, **options):
    """How many of XLA's convolutions are left in the program."""
    return lowered(*arguments, **options).as_text().count("stablehlo.convolution")


def test_one_loop_is_chosen_where_it_pays(monkeypatch):
    for wide, result in ((True, 0), (False, 1)):
        monkeypatch.setattr(choice, "has_wide_vectors", lambda wide=wide: wide)
        assert convolutions(conv_general_dilated, LOOPS["few outputs"]) == result
        assert convolutions(conv_general_dilated, LOOPS["few terms"]) == 0
    few_pixels = ((1, *LOOPS["few terms"][0][1:]), LOOPS["few terms"][1])
    assert convolutions(conv_general_dilated, few_pixels) == 1
    # Elsewhere barriers are dropped, and whoever reads the result would compute it anew.
    assert convolutions(conv_general_dilated, LOOPS["few terms"], compiled=jax.jit) == 1


def test_gradients_of_gradients_agree_with_xla_in_one_loop_too():
    x, weights = draw(1, 64, 64, 2), draw(3, 3, 2, 2)
    result = penalty_gradient(conv_general_dilated, x, weights, compiled=compiling.jit)
    expected = penalty_gradient(plain, x, weights)
    assert jnp.abs(result - expected).max() <= 1e-5 * jnp.abs(expected).max()
