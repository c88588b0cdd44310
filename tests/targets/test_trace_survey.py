"""What is wrong with a classifier shows while its target is made: mixed images, probabilities, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_adapted import IMAGES, NUM_CLASSES, PREPROCESSING, adapt, make_forward, make_init, names_of

from jaxpath import targets
from jaxpath.types import InputError

relu = jax.nn.relu


@pytest.mark.parametrize(
    "head",
    [
        jax.nn.softmax,
        lambda y: jax.nn.softmax(8 * y),
        lambda y: jnp.exp(jax.nn.log_softmax(y)),
        lambda y: jnp.exp(y) / jnp.exp(y).sum(-1, keepdims=True),
        lambda y: jax.nn.softmax(y.astype(jnp.bfloat16)),
        lambda y: (jax.nn.softmax(y) + jax.nn.softmax(-y)) / 2,
        lambda y: jnp.clip(jax.nn.softmax(y + jnp.ones(NUM_CLASSES)[None]), 1e-7, 1 - 1e-7),
        lambda y: jax.nn.softmax(y.reshape(-1, 2, 5), axis=(1, 2)).reshape(y.shape),
    ],
)
def test_probabilities_are_refused_however_they_are_made(head):
    with pytest.raises(InputError, match="returned probabilities: its rows add up to 1; expected logits"):
        adapt(relu, head=head)


@pytest.mark.parametrize(
    "head", [lambda y: jax.nn.sigmoid(y[:, :1]), jax.nn.sigmoid, jnp.vectorize(jax.nn.sigmoid)]
)
def test_what_a_sigmoid_returns_is_refused(head):
    with pytest.raises(InputError, match="returned values from 0 to 1, as a sigmoid does; expected logits"):
        adapt(relu, head=head)


@pytest.mark.parametrize(
    "head",
    [
        jax.nn.log_softmax,
        lambda y: y,
        relu,
        lambda y: 30 * jnp.tanh(y / 30),
        lambda y: y / 0.07,
        jnp.exp,
        lambda y: y[:, :1],
    ],
)
def test_other_logits_are_taken(head):
    assert len(adapt(relu, relu, relu, head=head).sites) >= 3


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: (x - x.mean((0, 1, 2))[None, None, None]) / x.std((0, 1, 2))[None, None, None],
        lambda x: x / jnp.abs(x).max(),
        lambda x: x - x.mean(0, keepdims=True),
        lambda x: jnp.where(x.mean() > 0, x, -x),
    ],
)
def test_mixed_images_are_refused_with_the_operation_that_mixes_them(norm):
    with pytest.raises(InputError, match=r"net mixes the images of a batch: '\w+' at"):
        adapt(lambda x: relu(norm(x)))


def test_a_batch_that_is_written_into_the_code_is_refused():
    with pytest.raises(
        InputError, match=r"net fails on 7 images of shape \(16, 16, 3\).*any number of images"
    ):
        adapt(relu, head=lambda y: y.reshape(32, NUM_CLASSES))


def test_a_name_that_never_occurs_is_refused_with_those_that_do():
    with pytest.raises(
        InputError, match=r"activations names reloo, which net never calls; .* among relu, tanh"
    ):
        adapt(relu, lambda x: relu(jnp.tanh(x)), activations=["relu", "reloo"])


def test_names_of_the_library_need_not_occur():
    assert names_of(adapt(relu, activations=["relu", "gelu"])) == ["000.relu"]


def test_a_layout_that_is_none_is_refused():
    with pytest.raises(InputError, match="layout='CHW' was given for net; expected 'NHWC', 'NCHW' or None"):
        adapt(relu, layout="CHW")


def test_parameters_of_another_structure_are_refused_with_what_is_missing():
    target = adapt(relu)
    params = target.init(jax.random.key(0))
    with pytest.raises(InputError, match="given to net lack head; they hold kernels/0; expected all that"):
        target.apply({"kernels": params["kernels"]}, IMAGES)


def test_a_survey_costs_one_trace():
    traces = []

    def forward(params, x):
        traces.append(x.shape)
        return make_forward(relu)(params, x)

    targets.adapt_function(forward, init=make_init(1), name="net", preprocessing=PREPROCESSING)
    assert traces == [(7, 16, 16, 3)]


def test_the_report_has_a_line_for_each_site():
    with pytest.warns(UserWarning, match="tanh was seen once"):
        target = adapt(relu, lambda x: jnp.tanh(x))
    assert target.report().splitlines() == [
        "net: 10 classes, 1 sites",
        "  000.relu      8 channels  16 x 16",
        "tanh was seen once and not taken, first at the top level with shape [B, 16, 16, 8]: it is not in "
        "activations",
    ]


def branch(x):
    return jax.lax.cond(x[0, 0, 0, 0] > 0, relu, jax.nn.silu, x)


@jax.custom_jvp
def derived(x):
    return jnp.maximum(x, 0)


derived.defjvp(lambda x, t: (derived(x[0]), t[0]))


def test_a_function_with_a_derivative_of_its_own_is_refused_with_a_remedy_that_works():
    with pytest.raises(InputError, match=r"inside a 'custom_jvp_call' .* add 'derived' to activations"):
        adapt(derived)
    assert names_of(adapt(derived, activations=["derived"])) == ["000.derived"]


def test_a_branch_is_refused_with_a_remedy_that_works():
    with pytest.raises(
        InputError, match=r"inside a 'cond' at .* compute both branches and choose with jnp.where"
    ):
        adapt(branch)
    # A condition for each image, both of whose branches are computed.
    target = adapt(lambda x: jnp.where(x[:, :1, :1, :1] > 0, relu(x), jax.nn.silu(x)))
    assert sorted(name[4:] for name in names_of(target)) == ["relu", "silu"]


def test_a_branch_that_is_known_is_followed():
    assert names_of(adapt(lambda x: jax.lax.cond(True, relu, jax.nn.silu, x))) == ["000.relu"]


def test_notes_are_values_that_a_target_keeps():
    target = adapt(relu)
    assert target.notes == () and target.activations == tuple(sorted(targets.ACTIVATIONS))
    assert np.isfinite(target.apply(target.init(jax.random.key(0)), IMAGES).logits).all()
