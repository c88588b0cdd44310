import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxpath import targets
from jaxpath.targets.torch_names import parameter_slots


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet8", {"num_classes": 7, "channels": 1}),
        ("resnet18", {"num_classes": 5}),
        ("vgg11_bn", {"num_classes": 4, "image_size": 32}),
        ("digit_cnn", {"num_classes": 5, "channels": 1}),
        ("deit_tiny", {"num_classes": 6, "image_size": 32}),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_tell_their_model_its_classes_and_its_channels(tmp_path, name, options, prefix):
    target = targets.make_target(name, **options)
    tensors = {prefix + slot.key: np.zeros(slot.torch_shape, np.float16) for slot in parameter_slots(target)}
    save_file(tensors, tmp_path / "weights.safetensors")
    found = targets.describe_weights(tmp_path / "weights.safetensors")
    assert found == (name, options["num_classes"], options.get("channels", 3))


def test_weights_of_something_else_tell_nothing(tmp_path):
    save_file({"a": np.zeros((2, 2), np.float32)}, tmp_path / "weights.safetensors")
    assert targets.describe_weights(tmp_path / "weights.safetensors") == (None, None, None)
