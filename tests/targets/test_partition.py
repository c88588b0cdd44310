"""A classifier in two parts: which parameters are behind a site, and which sites everything passes."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxpath import targets
from jaxpath.targets.deit import DeiT
from jaxpath.targets.partition import WHOLE
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError

RESNET = targets.resnet8(num_classes=3, image_size=8, channels=1)
VGG = targets.vgg11_bn(num_classes=3, image_size=32, hidden=4, pool_size=1)

SHAPES = ((1, 4), (4, 5), (5, 3))


def make_deit():
    module = DeiT(3, 8, 2, depth=2, patch=4)
    return targets.from_linen(
        module, name="deit_tiny", num_classes=3, preprocessing=targets.make_preprocessing((8, 8))
    )


def keys_at(target, places):
    return {slot.key for slot in parameter_slots(target) if slot.path in places}


def test_the_trunk_of_a_resnet_is_all_but_its_classifier():
    partition = targets.partition_at(RESNET, "trunk")
    assert partition.site == "006.layer3.0.relu2" == RESNET.sites[-1].name
    every = {slot.key for slot in parameter_slots(RESNET)}
    assert every - keys_at(RESNET, partition.frozen) == {"linear.weight", "linear.bias"}
    assert keys_at(RESNET, targets.head_places(RESNET)) == {"linear.weight", "linear.bias"}


def test_the_trunk_of_a_vgg_is_its_convolutions_and_norms():
    partition = targets.partition_at(VGG, "trunk")
    frozen = keys_at(VGG, partition.frozen)
    assert partition.site.endswith(".features.27")
    assert frozen == {slot.key for slot in parameter_slots(VGG) if slot.key.startswith("features.")}
    assert keys_at(VGG, targets.head_places(VGG)) == {
        f"classifier.{layer}.{leaf}" for layer in (0, 3, 6) for leaf in ("weight", "bias")
    }


@pytest.mark.parametrize("name", ["layer2.0.relu2", "004.layer2.0.relu2"])
def test_up_to_a_site_is_what_reaches_it(name):
    partition = targets.partition_at(RESNET, name)
    trained = {slot.key for slot in parameter_slots(RESNET)} - keys_at(RESNET, partition.frozen)
    assert {key.split(".")[0] for key in trained} == {"layer3", "linear"}
    assert {"layer3.0.bn1.running_var", "layer3.0.bn2.running_mean"} <= trained


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "layer2.0.relu1",
            "which is passed by a shortcut; expected trunk, none or one of relu, layer1.0.relu2",
        ),
        ("relu2", "which is no site of resnet8"),
    ],
)
def test_where_not_everything_passes_a_classifier_is_not_cut(name, reason):
    with pytest.raises(InputError, match=reason):
        targets.partition_at(RESNET, name)


def test_tokens_pass_every_site_of_a_transformer_by():
    deit = make_deit()
    with pytest.raises(InputError, match="no trunk to freeze; expected none"):
        targets.partition_at(deit, "trunk")
    assert keys_at(deit, targets.head_places(deit)) == {"head.weight", "head.bias"}


def test_an_adapted_network_has_a_trunk_and_lists_of_arrays_are_one_part():
    def forward(params, x):
        for kernel in params["trunk"]["layers"]:
            x = jax.nn.relu(x @ kernel)
        return x.mean((1, 2)) @ params["head"]

    def init(key):
        first, second, head = (jax.random.normal(key, shape) for shape in SHAPES)
        return {"trunk": {"layers": [first, second]}, "head": head}

    target = targets.adapt_function(forward, init=init, name="net", preprocessing=RESNET.preprocessing)
    partition = targets.partition_at(target, "trunk")
    assert (partition.site, partition.frozen) == ("001.relu", {("trunk", "layers")})


def test_parts_are_all_of_the_parameters_once():
    params = RESNET.init(jax.random.key(0))
    for partition in (WHOLE, targets.partition_at(RESNET, "trunk")):
        trained, frozen = partition.separate(params)
        assert not flatten_dict(trained).keys() & flatten_dict(frozen).keys()
        jax.tree.map(np.testing.assert_array_equal, targets.join_params(trained, frozen), params)
    assert targets.partition_at(RESNET, "none") == WHOLE
