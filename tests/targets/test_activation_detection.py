"""Which functions of a traced network are activations, however they are written, and which are none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_adapted import IMAGES, adapt, names_of

from jaxpath import targets
from jaxpath.targets.curve_names import is_straight
from jaxpath.targets.pointwise import POINTS

relu = jax.nn.relu


def quietly(*acts, **options):
    with pytest.warns(UserWarning, match="that are no sites beside 1 sites"):
        return adapt(*acts, **options)


TAKEN = {
    "leaky ReLU by selection": (lambda x: jnp.where(x > 0, x, 0.1 * x), "leaky_relu"),
    "leaky ReLU by maximum": (lambda x: jnp.maximum(0.1 * x, x), "leaky_relu"),
    "ReLU by selection": (lambda x: jnp.where(x < 0, 0, x), "relu"),
    "ReLU by a product": (lambda x: x * (x > 0), "relu"),
    "ReLU by the absolute value": (lambda x: (x + jnp.abs(x)) / 2, "relu"),
    "ReLU by clip": (lambda x: jnp.clip(x, min=0), "relu"),
    "ReLU by minus min": (lambda x: -jnp.minimum(-x, 0), "relu"),
    "PReLU of Keras": (lambda x: relu(x) - 0.25 * relu(-x), "leaky_relu"),
    "ReLU6 by clip": (lambda x: jnp.clip(x, 0, 6), "relu6"),
    "ReLU6 by clamp": (lambda x: jax.lax.clamp(0.0, x, 6.0), "relu6"),
    "ReLU6 by min and max": (lambda x: jnp.minimum(jnp.maximum(x, 0), 6), "relu6"),
    "ReLU1": (lambda x: jnp.clip(x, 0, 1), "clipped_relu"),
    "hard swish by ReLU6": (lambda x: x * jax.nn.relu6(x + 3) / 6, "hard_silu"),
    "hard swish by clip": (lambda x: x * (jnp.clip(x + 3, 0, 6) * (1 / 6)), "hard_silu"),
    "hard swish of jax.nn": (jax.nn.hard_swish, "hard_silu"),
    "quick GELU": (lambda x: x * jax.nn.sigmoid(1.702 * x), "silu"),
    "SiLU by exp": (lambda x: x / (1 + jnp.exp(-x)), "silu"),
    "mish": (lambda x: x * jnp.tanh(jnp.log1p(jnp.exp(x))), "mish"),
    "mish by softplus": (lambda x: x * jnp.tanh(jax.nn.softplus(x)), "mish"),
    "ELU": (lambda x: jnp.where(x > 0, x, jnp.expm1(x)), "elu"),
    "exact GELU": (lambda x: 0.5 * x * (1 + jax.lax.erf(x / 2**0.5)), "gelu"),
    "GELU by tanh": (lambda x: 0.5 * x * (1 + jnp.tanh(0.79788456 * (x + 0.044715 * x**3))), "gelu"),
    "CELU of jax.nn": (jax.nn.celu, "celu"),
    "SELU by hand": (
        lambda x: 1.0507009873554805 * jnp.where(x > 0, x, 1.6732632423543772 * (jnp.exp(x) - 1)),
        "selu",
    ),
    "a shifted ReLU": (lambda x: relu(x - 1), "relu"),
    "the ReLU of a squared one": (lambda x: relu(x) ** 2, "relu"),
    "the logarithm behind a ReLU": (lambda x: jnp.log1p(relu(x)), "relu"),
    "the gate of SwiGLU": (lambda x: jax.nn.silu(x) * x, "silu"),
    "squeeze and excite": (lambda x: x * jax.nn.sigmoid(relu(x.mean((1, 2), keepdims=True))), "relu"),
}


@pytest.mark.parametrize(("function", "name"), TAKEN.values(), ids=TAKEN)
def test_an_activation_is_found_by_its_curve(function, name):
    target = adapt(relu, function)
    assert names_of(target) == ["000.relu", f"001.{name}"]
    assert target.notes == () or "sigmoid" in target.notes[0]


@pytest.mark.parametrize(("function", "name"), TAKEN.values(), ids=TAKEN)
def test_closing_it_is_what_not_firing_would_have_been(function, name):
    target = adapt(relu, function, head=lambda logits: logits - 1)
    params = target.init(jax.random.key(0))
    closed = {target.sites[-1].name: jnp.zeros((2, target.sites[-1].channels))}
    logits = target.apply(params, IMAGES, closed).logits
    gated = "squeeze" in next(label for label, (f, _) in TAKEN.items() if f is function)
    # Squeeze and excite's site is the excitation: sigmoid(0) of the signal goes on.
    assert gated or (np.asarray(logits) == -1).all()


NOT_TAKEN = {
    "hard sigmoid": (lambda x: jax.nn.relu6(x + 3) / 6, "hard_sigmoid"),
    "hard sigmoid of jax.nn": (jax.nn.hard_sigmoid, "hard_sigmoid"),
    "hard tanh": (jax.nn.hard_tanh, "hard_tanh"),
    "tanh": (jnp.tanh, "tanh"),
    "sigmoid": (lambda x: 1 / (1 + jnp.exp(-x)), "sigmoid"),
    "softplus": (jax.nn.softplus, "softplus"),
    "soft sign": (lambda x: x / (jnp.abs(x) + 1), "soft_sign"),
    "squareplus": (jax.nn.squareplus, "squareplus"),
    "maxout": (lambda x: jnp.maximum(x, x[..., ::-1]), "max"),
    "a threshold": (lambda x: jnp.where(x > 1, x, 0), "where"),
    "generalised mean": (lambda x: jnp.maximum(x, 1e-6) ** 3, "max"),
    "sine": (jnp.sin, "sin"),
}


@pytest.mark.parametrize(("function", "name"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_what_is_not_taken_is_said_in_a_warning_and_in_the_report(function, name):
    target = quietly(relu, function)
    assert names_of(target) == ["000.relu"]
    assert target.notes[0].startswith(f"{name} was seen once and not taken, first at the top level")
    assert target.notes[0] in target.report()


def test_a_gated_linear_unit_is_said():
    target = quietly(relu, lambda x: jnp.concatenate([jax.nn.glu(x)] * 2, -1))
    assert target.notes[0].startswith("sigmoid was seen once")


def test_a_layer_without_a_nonlinearity_is_no_site_and_no_note():
    target = adapt(relu, lambda x: x, lambda x: 2 * x + 1)
    assert names_of(target) == ["000.relu"] and target.notes == ()


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "hard_tanh", "soft_sign"])
def test_what_is_named_is_taken_though_it_is_not_usual(name):
    assert names_of(adapt(getattr(jax.nn, name), activations=[name])) == [f"000.{name}"]


def normalised(variance_of):
    def norm(x):
        mean = x.mean((1, 2), keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance_of(x, mean) + 1e-5)

    return norm


def mean(x):
    return x.mean((1, 2), keepdims=True)


VARIANCES = {
    "square of the mean": lambda x, m: jnp.maximum(mean(x**2) - m**2, 0),
    "mean times mean": lambda x, m: jnp.maximum(mean(x * x) - m * m, 0),
    "jnp.square": lambda x, m: jnp.maximum(0, mean(jnp.square(x)) - jnp.square(m)),
    "relu": lambda x, m: jax.nn.relu(mean(x * x) - m * m),
    "clip": lambda x, m: jnp.clip(mean(x * x) - m * m, min=0),
    "of the differences": lambda x, m: jnp.maximum(mean((x - m) ** 2), 0.0),
    "where": lambda x, m: jnp.where(mean(x * x) > m * m, mean(x * x) - m * m, 0),
}


@pytest.mark.parametrize("variance_of", VARIANCES.values(), ids=VARIANCES)
def test_a_variance_that_is_cut_off_at_zero_is_no_activation(variance_of):
    norm = normalised(variance_of)
    assert names_of(adapt(lambda x: relu(norm(x)), lambda x: relu(norm(x)))) == ["000.relu", "001.relu"]


@pytest.mark.parametrize(
    "divide",
    [
        lambda x, v: x / jnp.sqrt(v + 1e-5),
        lambda x, v: x * (v + 1e-5) ** -0.5,
        lambda x, v: x * (1 / jnp.sqrt(v + 1e-5)),
    ],
)
def test_the_variance_may_be_divided_by_in_any_way(divide):
    def norm(x):
        return divide(x - mean(x), jnp.maximum(mean(x**2) - mean(x) ** 2, 0))

    assert names_of(adapt(lambda x: relu(norm(x)))) == ["000.relu"]


def test_a_learned_slope_makes_a_prelu():
    def forward(params, x):
        y = x @ params["layer"]
        slope = params["slope"][None, None, None]
        return jnp.where(y >= 0, y, slope * y).mean((1, 2)) @ params["head"]

    def init(key):
        return {"layer": jnp.ones((3, 8)), "slope": jnp.full(8, 0.3), "head": jnp.ones((8, 4))}

    target = targets.adapt_function(
        forward, init=init, name="p", preprocessing=targets.make_preprocessing((6, 5))
    )
    assert names_of(target) == ["000.prelu"]
    params = init(None)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype(np.float32)
    y = x @ np.ones((3, 8), np.float32)
    feature = target.apply(params, x).features["000.prelu"]
    np.testing.assert_allclose(feature, np.where(y >= 0, y, 0.3 * y), rtol=1e-6)


def test_a_function_of_single_pixels_is_no_activation():
    target = adapt(relu, before=lambda x: jnp.clip((x + 1) / 2, 0, 1))
    assert names_of(target) == ["000.relu"]


def test_what_no_logit_depends_on_is_no_site():
    def forward(params, x):
        y = x @ params["layer"]
        jax.nn.silu(y)
        return relu(y).mean((1, 2)) @ params["head"]

    target = targets.adapt_function(
        forward,
        init=lambda key: {"layer": jnp.ones((3, 8)), "head": jnp.ones((8, 4))},
        name="p",
        preprocessing=targets.make_preprocessing((6, 5)),
    )
    assert names_of(target) == ["000.relu"]


def test_an_activation_that_is_used_elsewhere_too_stays_a_site():
    def both(x):
        inner = jax.nn.relu6(x + 0)
        y = jnp.minimum(jnp.maximum(x, 0), 6)
        return inner + y

    assert names_of(adapt(both)) == ["000.relu6", "001.relu6"]


@pytest.mark.parametrize("value", [-np.inf, np.inf, np.nan])
def test_a_curve_that_is_not_finite_everywhere_is_no_straight_line(value):
    assert is_straight(2 * POINTS + 1)
    assert not is_straight(np.full(POINTS.shape, value))
    assert not is_straight(np.where(POINTS > 3, value, POINTS))
