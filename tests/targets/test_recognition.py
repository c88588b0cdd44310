import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxpath import targets
from jaxpath.targets import registry
from jaxpath.targets.recognition import recognise
from jaxpath.targets.torch_names import parameter_slots


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet8", {"num_classes": 7, "channels": 1}),
        ("resnet18", {"num_classes": 5}),
        ("vgg11_bn", {"num_classes": 4, "image_size": 32}),
        ("vgg16_gap", {"num_classes": 4, "image_size": 64}),
        ("vgg11_bn_gap", {"num_classes": 4, "channels": 1}),
        ("digit_cnn", {"num_classes": 5, "channels": 1}),
        ("deit_tiny", {"num_classes": 6, "image_size": 32}),
        ("lenet", {"num_classes": 6, "channels": 1}),
        ("resnet18_normless", {"num_classes": 6, "channels": 1}),
        ("mobilenet_v2", {"num_classes": 6, "channels": 1}),
        ("convnext_tiny", {"num_classes": 6, "channels": 1}),
        ("efficientnet_b0", {"num_classes": 6}),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_tell_their_model_its_classes_and_its_channels(tmp_path, name, options, prefix):
    target = targets.make_target(name, **options)
    tensors = {prefix + slot.key: np.zeros(slot.torch_shape, np.float16) for slot in parameter_slots(target)}
    save_file(tensors, tmp_path / "weights.safetensors")
    result = targets.describe_weights(tmp_path / "weights.safetensors")
    assert result[:3] == (name, options["num_classes"], options.get("channels", 3))


def test_weights_of_something_else_tell_nothing(tmp_path):
    save_file({"a": np.zeros((2, 2), np.float32)}, tmp_path / "weights.safetensors")
    assert targets.describe_weights(tmp_path / "weights.safetensors")[:3] == (None, None, None)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_another_name_of_the_last_layer_tells_the_classes_too(tmp_path, prefix):
    slots = parameter_slots(targets.resnet8(num_classes=7))
    tensors = {
        prefix + slot.key.replace("linear", "fc"): np.zeros(slot.torch_shape, np.float16) for slot in slots
    }
    save_file(tensors, tmp_path / "weights.safetensors")
    assert targets.describe_weights(tmp_path / "weights.safetensors").num_classes == 7


def test_a_depth_that_is_none_of_the_librarys_is_not_recognised(tmp_path):
    blocks = [f"layer{stage}.{block}.conv1.weight" for stage in (1, 2, 3) for block in range(2)]
    tensors = {key: np.zeros((4, 4, 3, 3), np.float32) for key in blocks}
    save_file(tensors, tmp_path / "weights.safetensors")
    assert targets.describe_weights(tmp_path / "weights.safetensors").name is None


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 3, 3, 3, 3)])
@pytest.mark.parametrize("name", targets.names())
def test_tensors_of_any_shape_can_be_looked_at(name, shape):
    slots = parameter_slots(targets.make_target(name))
    shapes = {slot.key: shape for slot in slots}
    assert recognise(shapes) in (None, name)


def test_no_two_families_recognise_the_same_weights():
    for name in targets.names():
        shapes = {slot.key: slot.torch_shape for slot in parameter_slots(targets.make_target(name))}
        recognised = [family.recognise(shapes) for family in registry.FAMILIES]
        assert [other for other in recognised if other is not None] == [registry.recognised_as(name)]


@pytest.mark.parametrize("name", [name for name in targets.names() if registry.recognised_as(name) != name])
def test_targets_recognised_as_another_have_its_tensors_and_another_preprocessing(name):
    target, other = targets.make_target(name), targets.make_target(registry.recognised_as(name))
    slots = [{slot.key: slot.torch_shape for slot in parameter_slots(one)} for one in (target, other)]
    assert slots[0] == slots[1] and target.preprocessing != other.preprocessing
