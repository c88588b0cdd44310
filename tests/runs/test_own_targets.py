"""A classifier of the user's own, opened by the name of a function."""

import textwrap

import jax
import numpy as np
import pytest

from jaxpath import runs, targets
from jaxpath.runs import WeightsOptions, load_net, open_own_target
from jaxpath.types import InputError

SOURCE = """
import jax
import jax.numpy as jnp
from flax import linen as nn
import jaxpath
from jaxpath import targets

preprocessing = jaxpath.Preprocessing(None, (8, 8), (0.5,), (0.25,))

class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Conv(4, (3, 3))(x)).mean((1, 2)))

def alone():
    return targets.adapt_linen(Net(), name="own", preprocessing=preprocessing)

def pair():
    target = alone()
    return target, target.init(jax.random.key(1))

def other():
    return 3

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = f"own_model_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.chdir(tmp_path)
    return name


def test_a_function_of_the_working_folder_gives_target_and_parameters(module, capsys):
    net = load_net(None, None, options=WeightsOptions(target=f"{module}:pair"))
    assert net.target.name == "own" and net.target.num_classes == 3
    expected = net.target.init(jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, net.params, expected)
    assert f"classifier: own with 3 classes, of {module}:pair" in capsys.readouterr().out


def test_weights_count_instead_of_the_parameters_of_the_function(module, tmp_path):
    target, _ = open_own_target(f"{module}:pair")
    params = target.init(jax.random.key(2))
    targets.save_weights(target, params, tmp_path / "own.safetensors")
    for name in ("pair", "alone"):
        loaded = open_own_target(f"{module}:{name}", str(tmp_path / "own.safetensors"))[1]
        jax.tree.map(np.testing.assert_array_equal, loaded, params)


def test_a_preprocessing_that_is_given_counts(module):
    options = WeightsOptions(
        target=f"{module}:pair", preprocessing=runs.PreprocessingOptions(mean=(0.1,), std=(0.2,))
    )
    assert load_net(None, None, options=options).target.preprocessing.mean == (0.1,)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{}:alone", "returned a target without parameters; give --weights, or return the target and"),
        ("{}:other", "returned a int; expected a target"),
        ("{}:missing", "names 'missing', which is no function of own_model_"),
        ("{}:number", "names 'number', which is no function"),
        ("{}", "expected package.module:function, such as my_models:make"),
        ("no_such_module_at_all:make", "names the module 'no_such_module_at_all', which was not found in"),
    ],
)
def test_what_is_no_target_is_refused_in_one_sentence(module, spec, said):
    with pytest.raises(InputError, match=said):
        open_own_target(spec.format(module))


def test_a_module_that_needs_another_one_says_which(tmp_path, monkeypatch):
    (tmp_path / "needs_other.py").write_text("import not_installed_anywhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"needs the module 'not_installed_anywhere', which was not found"):
        open_own_target("needs_other:make")


def test_without_a_classifier_both_ways_are_named():
    with pytest.raises(InputError, match=r"give --weights, or --target package.module:function"):
        load_net("resnet18", None)


def test_a_run_without_weights_is_known_by_its_function(tmp_path):
    assert runs.weights_identity(None, WeightsOptions(target="a:b")) == "target a:b"
