"""Settings of XLA that a release of JAX does not know, and the switch that does without any."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.cpu import compiler
from jaxpath.cpu.switch import VARIABLE
from jaxpath.layers import conv_general_dilated


@pytest.fixture
def fresh():
    """As if this process had not tried its settings yet."""
    compiler.usable_settings.cache_clear()
    yield
    compiler.usable_settings.cache_clear()


def chained(x):
    once = compiling.computed_once(jnp.tanh(x) + 1)
    return once, jnp.exp(once) * 2


def convolved(x):
    return conv_general_dilated(x, jnp.ones((3, 3, 1, 1)), (1, 1), "SAME")


def barriers(program):
    return program.lower(jnp.ones(16)).compile().as_text().count(" opt-barrier(")


UNKNOWN = {
    "an option": {"xla_cpu_no_such_option": True},
    "a value": {"xla_cpu_experimental_ynn_fusion_type": "NO_SUCH_TYPE"},
    "the pass that drops barriers": {"xla_disable_hlo_passes": "no_such_pass,tree_reduction_rewriter"},
    "the pass that makes trees": {"xla_disable_hlo_passes": "cse_barrier_expander,no_such_pass"},
}
"""What XLA does not know -> options in place of those that it knows."""


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("options", UNKNOWN.values(), ids=UNKNOWN)
def test_what_xla_does_not_know_is_one_warning_and_plain_xla(options, monkeypatch):
    wanted = compiler.SETTINGS._replace(fast={**compiler.SETTINGS.fast, **options})
    monkeypatch.setattr(compiler, "SETTINGS", wanted)
    with pytest.warns(RuntimeWarning) as caught:
        program = compiling.jit(chained)
        assert barriers(program) == 0
        np.testing.assert_allclose(program(jnp.zeros(16))[1], np.full(16, 2 * np.e), rtol=1e-6)
        loops = compiling.jit(convolved).lower(jnp.ones((1, 64, 64, 1))).as_text()
        assert loops.count("stablehlo.convolution") == 1
        assert compiling.run_once(jax.random.uniform, jax.random.key(0)).shape == ()
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 1
    assert all(part in messages[0] for part in (jax.__version__, "requirements.txt", VARIABLE))


@pytest.mark.usefixtures("fresh")
def test_this_release_takes_all_settings():
    assert compiler.what_fails({**compiler.SETTINGS.fast, **compiler.SETTINGS.quick}) is None
    assert compiler.settings() == compiler.SETTINGS
    assert compiling.jit(convolved).lower(jnp.ones((1, 64, 64, 1))).as_text().count("convolution") == 0


def test_the_switch_leaves_programs_to_plain_xla(monkeypatch):
    target = targets.resnet8(image_size=16)
    params = target.init(jax.random.key(0))
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    fast = compiling.jit(target.apply)
    expected = fast(params, images).logits

    monkeypatch.setenv(VARIABLE, "1")
    assert compiler.settings() == compiler.PLAIN
    plain = compiling.jit(target.apply)
    text = plain.lower(params, images).as_text()
    with compiling.traced_for("gpu"):
        assert text == jax.jit(target.apply).lower(params, images).as_text()
    np.testing.assert_allclose(plain(params, images).logits, expected, rtol=1e-4, atol=1e-4)

    monkeypatch.setenv(VARIABLE, "0")
    assert compiling.jit(target.apply).lower(params, images).as_text() == fast.lower(params, images).as_text()


@pytest.mark.usefixtures("fresh")
def test_the_switch_asks_xla_for_nothing_that_it_could_warn_of(monkeypatch):
    monkeypatch.setattr(compiler, "SETTINGS", compiler.Settings({"xla_cpu_no_such_option": True}, {}))
    monkeypatch.setenv(VARIABLE, "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert barriers(compiling.jit(chained)) == 0
