"""What is taken from the weights of another classifier, and what is refused as strictly as ever."""

from functools import cache

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxpath import targets
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError

RESNET = targets.resnet8(num_classes=3)
VGG = targets.vgg11(num_classes=3, image_size=32)
GAP = targets.vgg11_gap(num_classes=3, image_size=32)


@cache
def fresh(target):
    return target.init(jax.random.key(7))


def write(folder, target, *, drop=(), change=None):
    """A file without a header of freshly drawn weights, such as a project publishes; and its tensors."""
    targets.save_weights(target, target.init(jax.random.key(0)), folder / "whole.safetensors")
    tensors = {
        name: tensor
        for name, tensor in load_file(folder / "whole.safetensors").items()
        if not name.startswith(tuple(drop))
    }
    tensors |= change or {}
    save_file(tensors, folder / "initial.safetensors")
    return folder / "initial.safetensors", tensors


def assert_taken(target, params, tensors, but=()):
    arrays = {slot.key: slot.to_torch(np.asarray(at(params, slot.path))) for slot in parameter_slots(target)}
    drawn = {
        slot.key: slot.to_torch(np.asarray(at(fresh(target), slot.path))) for slot in parameter_slots(target)
    }
    for name, array in arrays.items():
        np.testing.assert_array_equal(
            array, drawn[name] if name.startswith(tuple(but)) else tensors[name], name
        )


def at(tree, path):
    for name in path:
        tree = tree[name]
    return tree


def test_a_trunk_alone_begins_a_vgg_and_its_classifier_is_drawn(tmp_path):
    path, tensors = write(tmp_path, VGG, drop=["classifier"])
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    save_file(half, path)
    initial = targets.load_initial(VGG, path, drawn=fresh(VGG))
    assert_taken(VGG, initial.params, {n: t.astype(np.float32) for n, t in half.items()}, but=["classifier"])
    assert set(initial.missing) == {
        f"classifier.{n}.{leaf}" for n in (0, 3, 6) for leaf in ("weight", "bias")
    }
    assert initial.replaced == ()


def test_the_same_trunk_begins_a_vgg_with_one_linear_layer(tmp_path):
    path, tensors = write(tmp_path, VGG, drop=["classifier"])
    initial = targets.load_initial(GAP, path, drawn=fresh(GAP))
    assert_taken(GAP, initial.params, tensors, but=["classifier"])
    whole = targets.load_initial(GAP, tmp_path / "whole.safetensors", drawn=fresh(GAP))
    jax.tree.map(np.testing.assert_array_equal, whole, initial)
    assert set(whole.missing) == {"classifier.weight", "classifier.bias"}


def test_of_another_number_of_classes_all_but_the_last_layer_is_taken(tmp_path):
    path, tensors = write(tmp_path, targets.vgg11(num_classes=5, image_size=32))
    initial = targets.load_initial(VGG, path, drawn=fresh(VGG))
    assert_taken(VGG, initial.params, tensors, but=["classifier.6"])
    assert (set(initial.replaced), initial.missing) == ({"classifier.6.weight", "classifier.6.bias"}, ())
    # So are files with a header, and one that fits in everything.
    headed = targets.load_initial(VGG, tmp_path / "whole.safetensors", drawn=fresh(VGG))
    jax.tree.map(np.testing.assert_array_equal, headed, initial)
    path, tensors = write(tmp_path, RESNET)
    initial = targets.load_initial(RESNET, path, drawn=fresh(RESNET))
    assert_taken(RESNET, initial.params, tensors)
    assert initial[1:] == ((), ())


def test_competing_units_begin_with_the_tensors_of_rectified_ones_unless_a_header_says_otherwise(tmp_path):
    competing = targets.resnet8(num_classes=3, competitors=4)
    path, tensors = write(tmp_path, targets.resnet8(num_classes=5))
    initial = targets.load_initial(competing, path, drawn=fresh(competing))
    assert_taken(competing, initial.params, tensors, but=["linear"])
    with pytest.raises(InputError, match="those of resnet8, whose units act differently"):
        targets.load_initial(competing, tmp_path / "whole.safetensors", drawn=fresh(competing))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["bn1.bias", "linear"]}, r"do not fit resnet8 .*1 missing key \(bn1.bias\)"),
        ({"drop": ["bn1.bias"]}, r"1 missing key \(bn1.bias\)"),
        ({"drop": ["linear"], "change": {"extra": np.zeros(1, np.float32)}}, r"1 unexpected key \(extra\)"),
        ({"change": {"extra": np.zeros(1, np.float32)}}, r"1 unexpected key \(extra\)"),
        (
            {"drop": ["linear"], "change": {"bn1.weight": np.zeros(4, np.float32)}},
            r"bn1.weight is float32 \[4\], expected \[16\]",
        ),
        ({"drop": ["linear"], "change": {"bn1.weight": np.full(16, np.nan, np.float32)}}, "16 NaN"),
        ({"change": {"linear.weight": np.full((5, 64), np.inf, np.float32)}}, "320 infinite"),
        ({"drop": ["linear"], "change": {"bn1.running_var": np.full(16, -1, np.float32)}}, "variance -1"),
    ],
)
def test_a_trunk_is_checked_as_strictly_as_ever(tmp_path, options, message):
    path, _ = write(tmp_path, targets.resnet8(num_classes=5), **options)
    with pytest.raises(InputError, match=message):
        targets.load_initial(RESNET, path, drawn=fresh(RESNET))


def test_another_network_is_refused(tmp_path):
    path, _ = write(tmp_path, targets.resnet20(num_classes=5))
    with pytest.raises(InputError, match=r"unexpected keys.*look like the weights of resnet20"):
        targets.load_initial(RESNET, path, drawn=fresh(RESNET))


def test_a_changed_file_is_refused_by_its_digest(tmp_path):
    write(tmp_path, targets.resnet8(num_classes=5))
    content = bytearray((tmp_path / "whole.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "whole.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not those that were written"):
        targets.load_initial(RESNET, tmp_path / "whole.safetensors", drawn=fresh(RESNET))


def test_another_preprocessing_is_refused(tmp_path):
    write(tmp_path, targets.resnet8(num_classes=5))
    other = targets.with_preprocessing(RESNET, RESNET.preprocessing._replace(mean=(0.5, 0.5, 0.5)))
    with pytest.raises(InputError, match=r"mean 0\.5"):
        targets.load_initial(other, tmp_path / "whole.safetensors", drawn=fresh(RESNET))


def test_a_linear_head_is_an_ordinary_file(tmp_path):
    params = fresh(GAP)
    targets.save_weights(GAP, params, tmp_path / "gap.safetensors", class_names=["a", "b", "c"])
    described = targets.describe_weights(tmp_path / "gap.safetensors")
    assert described[:3] == ("vgg11_gap", 3, 3) and described.class_names == ("a", "b", "c")
    assert load_file(tmp_path / "gap.safetensors")["classifier.weight"].shape == (3, 512)
    jax.tree.map(
        np.testing.assert_array_equal, targets.load_weights(GAP, tmp_path / "gap.safetensors"), params
    )
    with pytest.raises(InputError, match="look like the weights of vgg11_gap"):
        targets.load_weights(VGG, tmp_path / "gap.safetensors")


def test_the_real_trunk_begins_a_vgg16(shared_data):
    target = targets.vgg16_gap(num_classes=20)
    path = shared_data / "vgg16" / "vgg16_trunk.safetensors"
    initial = targets.load_initial(target, path, drawn=fresh(target))
    tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}
    assert_taken(target, initial.params, tensors, but=["classifier"])
    resnet = targets.resnet18(num_classes=20)
    initial = targets.load_initial(
        resnet, shared_data / "imagenet" / "resnet18.safetensors", drawn=fresh(resnet)
    )
    assert set(initial.replaced) == {"fc.weight", "fc.bias"}
