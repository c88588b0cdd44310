"""Which tensors of a checkpoint are the network: wrappers, averages, and what lies beside."""

import numpy as np
import pytest

from jaxpath import targets
from jaxpath.targets.recognition import is_known
from jaxpath.targets.state_dicts import Stored, choose_state, find_states
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError

KEYS = [slot.key for slot in parameter_slots(targets.resnet8())]


def network(value=0.0, prefix=""):
    """A ResNet-8 whose tensors all hold ``value``, one number each; only names and conv1's shape count."""
    return {prefix + key: Stored.of(np.full((16, 3, 3, 3), value)) for key in KEYS}


def value_of(tree, wanted=None):
    """The value in the state that is taken, and its name."""
    state = choose_state(find_states(tree, is_known), wanted, "file.pth")
    assert sorted(state.tensors) == sorted(KEYS)
    return float(state.tensors["conv1.weight"].read()[0, 0, 0, 0]), state.name


OPTIMIZER = {"state": {0: {"exp_avg": Stored.of(np.ones(3))}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda sd: sd, "."),
        (lambda sd: {"state_dict": sd, "epoch": 3, "optimizer": OPTIMIZER}, "state_dict"),
        (lambda sd: {"model_state_dict": sd, "optimizer_state_dict": OPTIMIZER}, "model_state_dict"),
        (lambda sd: {"net": sd, "acc": 93.1}, "net"),
        (lambda sd: {"network": {"state_dict": sd}}, "network.state_dict"),
        (lambda sd: {"whatever": sd}, "whatever"),
        (lambda sd: {f"module.{key}": value for key, value in sd.items()}, "module"),
        (lambda sd: {f"_orig_mod.module.{key}": value for key, value in sd.items()}, "_orig_mod.module"),
        (lambda sd: {"state_dict": {f"model.{key}": value for key, value in sd.items()}}, "state_dict.model"),
        (lambda sd: {f"backbone.{key}": value for key, value in sd.items()}, "backbone"),
        (lambda sd: {f"my_classifier.{key}": value for key, value in sd.items()}, "my_classifier"),
        (
            lambda sd: {
                "n_averaged": Stored.of(np.array(5)),
                **{f"module.{key}": value for key, value in sd.items()},
            },
            "module",
        ),
        (lambda sd: {"rng_state": Stored.of(np.zeros(9, np.uint8)), "model": sd}, "model"),
    ],
)
def test_wrappers_are_taken_off(wrap, name):
    assert value_of(wrap(network(7.0))) == (7.0, name)


PAIRS = [
    ({"state_dict": network(1), "state_dict_ema": network(2)}, "state_dict_ema"),
    ({"model": network(1), "model_ema": network(2, "module.")}, "model_ema"),
    ({"ema_state_dict": network(2), "state_dict": network(1)}, "ema_state_dict"),
    ({"model": network(1), "ema": {"state_dict": network(2)}}, "ema"),
    (
        {"model": network(1), "swa_model": {"n_averaged": Stored.of(np.array(9)), **network(2, "module.")}},
        "swa_model",
    ),
    (
        {
            "model": network(1),
            "best": {"n_averaged": Stored.of(np.array(9)), **network(2, "module.")},
        },
        "best",
    ),
    ({**network(1, "model."), **network(2, "model_ema.")}, "model_ema"),
    ({**network(1), **network(2, "ema.")}, "ema"),
    ({"state_dict": {**network(1, "model."), **network(2, "ema_model.module.")}}, "ema_model"),
]


@pytest.mark.parametrize(("tree", "key"), PAIRS)
def test_of_raw_and_averaged_weights_the_raw_are_taken_unless_others_are_named(tree, key):
    assert value_of(tree)[0] == 1
    assert value_of(tree, "raw")[0] == 1
    assert value_of(tree, "ema")[0] == 2
    assert value_of(tree, key)[0] == 2
    names = [state.said for state in find_states(tree, is_known)]
    assert len(names) == 2 and sum("(averaged)" in name for name in names) == 1


def test_averaged_weights_alone_are_taken():
    assert value_of({"state_dict_ema": network(2)}) == (2.0, "state_dict_ema")


def test_two_networks_of_which_none_is_an_average_are_asked_about():
    tree = {"student": network(1), "teacher": network(2)}
    with pytest.raises(InputError, match=r"several networks, student, teacher; name one with --state"):
        value_of(tree)
    assert value_of(tree, "teacher") == (2.0, "teacher")
    with pytest.raises(InputError, match=r"student, teacher, of which several answers to 'raw'"):
        value_of(tree, "raw")


def test_a_state_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"the states state_dict, of which none answers to 'ema'"):
        value_of({"state_dict": network()}, "ema")
    with pytest.raises(InputError, match=r"one state dict alone, and 'ema' was asked for"):
        value_of(network(), "ema")


def test_layers_behind_the_network_are_not_left_out_silently():
    head = {"head.weight": Stored.of(np.ones((2, 10))), "head.bias": Stored.of(np.ones(2))}
    tree = {"state_dict": {**network(3, "backbone."), **head}}
    with pytest.raises(InputError, match=r"beside it 2 tensors .*\(head.weight, head.bias\).*--state"):
        value_of(tree)
    assert value_of(tree, "backbone") == (3.0, "state_dict.backbone")


@pytest.mark.parametrize("name", targets.names())
def test_no_layer_of_our_own_networks_is_taken_for_a_wrapper(name):
    slots = parameter_slots(targets.make_target(name))
    tree = {slot.key: Stored(slot.torch_shape, lambda: np.zeros(1)) for slot in slots}
    (state,) = find_states(tree, is_known)
    assert (state.name, set(state.tensors), state.averaged) == (".", set(tree), False)
    (state,) = find_states({f"module.{key}": value for key, value in tree.items()}, is_known)
    assert set(state.tensors) == set(tree)
