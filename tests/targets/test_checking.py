"""The table of contracts says what a target breaks, each by a target that breaks it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_adapted import IMAGES, adapt

from jaxpath import targets
from jaxpath.types import InputError

relu = jax.nn.relu


def good():
    target = adapt(relu, relu)
    return target, target.init(jax.random.key(0))


def broken(change):
    """A target whose outputs are changed: ``change(output, images, gates)``."""
    target, params = good()

    def apply(params, images, gates=None):
        return change(target.apply(params, images, gates), images, gates)

    return target._replace(apply=apply), params


def failed(target, params):
    return {check.name for check in targets.check(target, params, IMAGES) if not check.passed}


def test_a_good_target_passes_all_and_prints_one_line_for_each():
    checks = targets.check(*good(), IMAGES)
    assert checks.failures() == []
    lines = str(checks).splitlines()
    assert len(lines) == len(checks) >= 13 and all(line.startswith("ok ") for line in lines)
    assert f"{len(checks)} checks, 0 failed" in checks._repr_html_()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda out, x, g: out._replace(logits=out.logits * jnp.nan), "logits are finite"),
        (lambda out, x, g: out._replace(logits=jax.nn.softmax(out.logits)), "logits are no probabilities"),
        (lambda out, x, g: out._replace(logits=out.logits - out.logits[:1]), "images do not mix"),
        (lambda out, x, g: out._replace(logits=out.logits[:, :3]), "logits are [B, K]"),
        (
            lambda out, x, g: out._replace(features={n: f[..., :2] for n, f in out.features.items()}),
            "features have the sites' shapes",
        ),
        (
            lambda out, x, g: out._replace(logits=out.logits * (1 + (g is not None))),
            "open gates change nothing",
        ),
        (
            lambda out, x, g: out._replace(features={n: f + 1 for n, f in out.features.items()}),
            "a closed channel is 0 and no other changes",
        ),
    ],
)
def test_what_is_broken_is_named(change, name):
    assert name in failed(*broken(change))


def test_a_site_that_reaches_nothing_is_named():
    target, params = good()

    def apply(params, images, gates=None):
        first = {name: gate for name, gate in (gates or {}).items() if name == "000.relu"}
        output = target.apply(params, images, first)
        features = dict(output.features)
        if gates is not None:
            features["001.relu"] = features["001.relu"] * gates["001.relu"][:, None, None]
        return output._replace(features=features)

    broken = targets.check(target._replace(apply=apply), params, IMAGES)
    assert [check.found for check in broken if not check.passed] == ["not so at 001.relu"] * 2 + [
        "with the sites' names"
    ]


def test_a_constant_init_and_other_parameters_are_named():
    target, params = good()
    assert failed(target._replace(init=lambda key: params), params) == {"init draws"}
    wider = jax.tree.map(lambda leaf: np.zeros((*leaf.shape, 1)), params)
    assert failed(target._replace(init=lambda key: wider), params) == {
        "init returns parameters of the same shapes",
        "init draws",
    }


def test_one_image_is_too_few():
    with pytest.raises(InputError, match="1 images were given; expected two or more"):
        targets.check(*good(), IMAGES[:1])


def test_a_network_of_the_library_passes():
    target = targets.resnet8(image_size=8, channels=1)
    checks = targets.check(target, target.init(jax.random.key(0)), np.zeros((2, 8, 8, 1), np.float32) + 1)
    assert checks.failures() == []
