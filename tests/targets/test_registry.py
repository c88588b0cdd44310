"""One registry: every name has one family, and its maker is an attribute of the room."""

import pytest

from jaxpath import targets
from jaxpath.targets import registry
from jaxpath.targets.torch_names import parameter_slots

each_family = pytest.mark.parametrize("family", registry.FAMILIES, ids=lambda family: min(family.makers))


def test_every_name_belongs_to_one_family():
    names = [name for family in registry.FAMILIES for name in family.makers]
    assert len(names) == len(set(names))
    assert targets.names() == tuple(names)
    assert all(len(registry.families_of(name)) == 1 for name in names)
    assert registry.families_of("resnet8_lwta4") == registry.families_of("resnet20")
    # A target of somebody else's may have any family's names.
    assert registry.families_of("somebody_elses") == registry.FAMILIES


def test_makers_are_attributes_that_no_module_hides():
    for name, maker in registry.makers().items():
        assert getattr(targets, name) is maker
        assert name in dir(targets) and name in targets.__all__
    with pytest.raises(AttributeError, match="resnet19"):
        _ = targets.resnet19


@each_family
def test_a_familys_layers_are_those_of_its_networks(family):
    name = min(family.makers)
    target = targets.make_target(name, num_classes=7)
    shapes = {slot.key: slot.torch_shape for slot in parameter_slots(target)}
    assert shapes[f"{family.first}.weight"][1] == len(target.preprocessing.mean)
    assert shapes[f"{family.last}.weight"][0] == 7
    layers = [*family.aliases.values(), *([family.flattened] if family.flattened else [])]
    assert all(f"{layer}.weight" in shapes or layer in shapes for layer in layers)
