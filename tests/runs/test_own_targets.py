"""A classifier of the user's own, opened by the name of a function."""

import dataclasses
import json
import textwrap

import jax
import numpy as np
import pytest

from jaxpath import runs, targets
from jaxpath.fills import ABLATIONS
from jaxpath.runs import StoppingOptions, WeightsOptions, comparison, load_net, open_own_target
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

class Digits(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.Conv(8, (2, 2), (2, 2))(x).reshape(len(x), -1, 8)
        x = x + nn.Dense(8)(nn.gelu(nn.Dense(6)(x)))
        return nn.Dense(10)(nn.relu(nn.Dense(5)(x.mean(1))))

def digits():
    target = targets.adapt_linen(Digits(), name="own_digits", preprocessing=preprocessing)
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


def test_a_classifier_is_known_by_what_it_computes(tmp_path, monkeypatch):
    """Not by the name of its function: what is kept of one must not be taken for another's."""
    monkeypatch.chdir(tmp_path)
    changes = {
        "same": ("", ""),
        "params": ("random.key(1)", "random.key(2)"),
        "program": ("nn.relu(nn.Conv", "nn.silu(nn.Conv"),
        "constant": ("mean((1, 2)))", "mean((1, 2)) + np.arange(4.0)[None])"),
        "other_constant": ("mean((1, 2)))", "mean((1, 2)) + np.arange(1.0, 5.0)[None])"),
    }
    known = {}
    for name, (before, after) in {"first": ("", ""), **changes}.items():
        text = textwrap.dedent(SOURCE).replace(before, after) if before else textwrap.dedent(SOURCE)
        (tmp_path / f"known_{name}.py").write_text(f"import numpy as np\n{text}")
        net = load_net(None, None, options=WeightsOptions(target=f"known_{name}:pair"))
        facts = runs.known_by(net)
        assert facts["weights"] == net.identity and len(net.identity) == 64
        known[name] = net.identity
    assert known["first"] == known["same"]
    assert len(set(known.values())) == len(known) - 1


def test_a_run_of_no_classifier_ends_before_its_folder_is_made(tmp_path):
    with pytest.raises(InputError, match=r"give --weights, or --target package.module:function"):
        runs.run_generator(runs.GeneratorRun(data="digits", model="resnet8", out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_map_tokens_and_a_dense_site_of_ones_own_are_learned_and_compared(module, tmp_path):
    loading = WeightsOptions(target=f"{module}:digits")
    early = StoppingOptions(stop_early=2, watch_share=0.1, look_every=5)
    first = runs.GeneratorOptions(steps=12, batch_size=16, width=8, class_pathway_images=100, stopping=early)
    second = dataclasses.replace(first, init_generator=str(tmp_path / "first"))
    for name, options in (("first", first), ("second", second)):
        out = tmp_path / name
        run = runs.GeneratorRun(data="digits", model="resnet8", out=out, loading=loading, generator=options)
        runs.run_generator(run)
        results = json.loads((out / "results.json").read_text())
        assert [look["step"] for look in results["looks"]][:2] == [5, 10]
        assert {site.split(".")[1] for site in results["density_per_site"]} == {"relu", "gelu"}
        assert results["transfer_images"] == results["num_images"]
    compared = comparison.Comparison(
        data="digits",
        eval_split="test",
        references_split="train",
        out=tmp_path / "compared",
        loading=loading,
        images=16,
        search_images=4,
        ablation="all",
        explainers=("random", "contrastive"),
        generators=(f"gen:{tmp_path / 'second' / runs.GENERATOR}",),
        densities=(0.2, 1.0),
        timed_batches=(),
        refine_steps=2,
    )
    rows = comparison.run_comparison(compared)
    assert list(rows) == ["random", "contrastive", "gen", "gen, refined"]
    for row in rows.values():
        complete = row["curve"][1]
        assert complete["worst_fidelity"] == 1 and set(complete["ablations"]) == set(ABLATIONS)
