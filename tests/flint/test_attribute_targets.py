"""An interpreter saved, loaded and used as a target: pathways of attributes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file
from small_flint import INTERPRETER, TARGET, batch, params

from jaxpath import devices, explainers, flint, metrics, targets
from jaxpath.types import InputError


def both():
    own, made = params()
    return {"target": own, "interpreter": made}


def test_an_interpreter_comes_back_with_its_options_and_every_bit(tmp_path):
    own, made = params()
    flint.save_interpreter(INTERPRETER, made, TARGET, tmp_path / "i.safetensors", target_params=own)
    result, found_params = flint.load_interpreter(tmp_path / "i.safetensors", TARGET, params=own)
    assert result == INTERPRETER
    jax.tree.map(np.testing.assert_array_equal, found_params, made)


def test_an_interpreter_of_another_target_and_other_files_are_refused(tmp_path):
    own, made = params()
    flint.save_interpreter(INTERPRETER, made, TARGET, tmp_path / "i.safetensors", target_params=own)
    with pytest.raises(InputError, match="made for lenet with 4 classes; expected a file for lenet with 10"):
        flint.load_interpreter(tmp_path / "i.safetensors", targets.lenet())
    other = jax.tree.map(lambda array: array + 1, own)
    with pytest.raises(InputError, match=r"/i\.safetensors was made for other weights of lenet"):
        flint.load_interpreter(tmp_path / "i.safetensors", TARGET, params=other)
    with pytest.raises(InputError, match="there is no interpreter file"):
        flint.load_interpreter(tmp_path / "none.safetensors", TARGET)
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="holds no interpreter"):
        flint.load_interpreter(tmp_path / "weights.safetensors", TARGET)


def test_the_logits_of_the_two_targets_are_the_attributes_and_the_interpreters():
    own, made = params()
    images = batch(3)["image"]
    output = flint.interpret(INTERPRETER, made, TARGET.apply(own, images).features)
    as_attributes = flint.attribute_target(TARGET, INTERPRETER)
    as_classifier = flint.interpreter_target(TARGET, INTERPRETER)
    np.testing.assert_array_equal(as_attributes.apply(both(), images).logits, output.attributes)
    np.testing.assert_array_equal(as_classifier.apply(both(), images).logits, output.logits)
    assert (as_attributes.num_classes, as_classifier.num_classes) == (6, 4)
    for target in (as_attributes, as_classifier):
        assert [site.name for site in target.sites] == ["000.features.1", "001.features.5"]
        assert set(target.apply(both(), images).features) == {site.name for site in target.sites}
        made_shapes = jax.tree.map(jnp.shape, jax.eval_shape(target.init, jax.random.key(0)))
        assert made_shapes == jax.tree.map(jnp.shape, both())
    with pytest.raises(InputError, match=r"002.classifier.1.*000.features.1"):
        as_attributes.apply(both(), images, {"002.classifier.1": np.ones((3, 128), np.float32)})


def test_the_taylor_score_of_an_attribute_is_what_its_channels_add_to_it_to_first_order():
    target = flint.attribute_target(TARGET, INTERPRETER)
    images, wanted = batch(2)["image"], np.array([1, 4])
    explain = explainers.make_explainer("taylor_signed", target, density=0.25)
    pathway = jax.jit(explain)(both(), images, wanted, key=jax.random.key(0))
    apply = jax.jit(target.apply)
    site, step = "001.features.5", 1e-2
    clean = np.asarray(apply(both(), images).logits)[[0, 1], wanted]
    for channel in (3, 17):
        gates = np.ones((2, 32), np.float32)
        gates[:, channel] = 1 - step
        less = np.asarray(apply(both(), images, {site: gates}).logits)[[0, 1], wanted]
        result = np.asarray(pathway.scores[site])[:, channel]
        np.testing.assert_allclose((clean - less) / step, result, atol=2e-4)
    masks = np.concatenate([np.asarray(mask) for mask in pathway.masks.values()], axis=1)
    assert masks.sum(axis=1).tolist() == [12, 12]  # a quarter of 16 + 32 channels


def test_every_image_is_interpreted_once_and_in_order_on_several_devices():
    own, made = params()
    session = metrics.Session(TARGET, own, devices.make_mesh(jax.devices()[:2]), batch_size=8)
    result = flint.interpret_all(session, INTERPRETER, made, lambda: padded(batch(11)))
    features = jax.jit(TARGET.apply)(own, batch(11)["image"])
    expected = jax.jit(partial(flint.interpret, INTERPRETER))(made, features.features)
    np.testing.assert_allclose(result.attributes, expected.attributes, atol=1e-5)
    np.testing.assert_array_equal(result.guessed, expected.logits.argmax(axis=1))
    np.testing.assert_array_equal(result.predicted, features.logits.argmax(axis=1))
    np.testing.assert_array_equal(result.labels, batch(11)["label"])
    assert result.among_top.all()  # of four classes, all are among the first five


def test_per_image_results_leave_the_padding_out():
    result = metrics.per_image(
        lambda params, batch: {"bright": batch["image"].max(axis=(1, 2, 3)) + params},
        jnp.uint8(1),
        lambda: padded(batch(11)),
        mesh=devices.make_mesh(jax.devices()[:4]),
    )
    np.testing.assert_array_equal(result["bright"], batch(11)["image"].max(axis=(1, 2, 3)) + 1)
    np.testing.assert_array_equal(result["indices"], np.arange(11))


def padded(whole):
    """Batches of 8 examples, the last one filled up."""
    for first in range(0, len(whole["label"]), 8):
        real = len(whole["label"][first : first + 8])
        fill = [(0, 8 - real)]
        yield {
            "image": np.pad(whole["image"][first : first + 8], [*fill, (0, 0), (0, 0), (0, 0)]),
            "label": np.pad(whole["label"][first : first + 8], fill),
            "index": np.pad(np.arange(first, first + real), fill, constant_values=-1),
            "weight": np.pad(np.ones(real, np.float32), fill),
        }
