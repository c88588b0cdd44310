"""Interpreters and attention that learn from what a frozen classifier said once of each view of an image."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxpath import data, lap, runs, targets
from jaxpath.runs.lap.plugging import PlugInRun, _set_aside
from jaxpath.types import InputError

SOURCE = data.Subset(data.digits("train"), np.arange(48))
TARGET = targets.resnet8(image_size=8, channels=1)
FLINT = runs.flint.FlintOptions(epochs=2, batch_size=16, attributes=6, learning_rate=1e-2, views=1)
PLUG_IN = runs.lap.PlugInOptions(head_epochs=2, batch_size=16, head_rate=1e-2, views=1)


@pytest.fixture(scope="module")
def params():
    return TARGET.init(jax.random.key(0))


def interpret(out, params, **changes):
    options = dataclasses.replace(FLINT, **changes)
    recipe = runs.flint.post_hoc_recipe(TARGET)
    run = runs.Run(out)
    return runs.flint.train_post_hoc(TARGET, params, SOURCE, recipe, options, run=run).params


def attend(out, params, *, gate=-6.0, knowledge=None, **changes):
    target = lap.extend(targets.resnet8, image_size=8, channels=1, gate=gate)
    options = dataclasses.replace(PLUG_IN, **changes)
    plain = runs.Net(TARGET, params)
    return runs.lap.plug_in(target, plain, SOURCE, options, run=runs.Run(out), knowledge=knowledge).params


def assert_alike(one, other):
    """Up to a tenth of one of Adam's steps, which where a gradient is near 0 are decided by rounding."""
    for ours, expected in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


def test_an_interpreter_learns_the_same_from_views_and_from_images(tmp_path, params):
    once = interpret(tmp_path / "once", params)
    (kept,) = (tmp_path / "once").glob("*.npz")
    # Two maps and the logits of each image, and the image itself, which is decoded to.
    shapes = {name: array.shape[1:] for name, array in np.load(kept).items()}
    assert shapes["image"] == (8, 8, 1)
    assert sorted(shape for name, shape in shapes.items() if name.startswith("read")) == [
        (2, 2, 64),
        (4, 4, 32),
        (10,),
    ]
    assert_alike(once, interpret(tmp_path / "each", params, views=None))


def test_attention_learns_from_views_as_from_a_net_with_closed_gates(tmp_path, params):
    """A gate of sigmoid(-100) is 0 in float32: then nothing that a head reads depends on another head."""
    once = attend(tmp_path / "once", params, gate=-100.0)
    assert list((tmp_path / "once" / "stage1").glob("*.npz"))
    assert_alike(once, attend(tmp_path / "each", params, gate=-100.0, views=None))
    fresh = lap.keep_weights(
        lap.extend(targets.resnet8, image_size=8, channels=1, gate=-100.0), params, key=jax.random.key(0)
    )
    moved = [np.any(a != b) for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(fresh), strict=True)]
    assert any(moved) and not all(moved)


def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path, params, monkeypatch):
    whole = interpret(tmp_path / "whole", params, checkpoint_every=2)
    take = data.ArrayBatches.__next__

    def killed_at_4(self):
        if self._next == 4:
            raise KeyboardInterrupt
        return take(self)

    monkeypatch.setattr(data.ArrayBatches, "__next__", killed_at_4)
    with pytest.raises(KeyboardInterrupt):
        interpret(tmp_path / "killed", params, checkpoint_every=2)
    monkeypatch.setattr(data.ArrayBatches, "__next__", take)
    resumed = interpret(tmp_path / "killed", params, checkpoint_every=2)
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_views_of_what_changes_or_with_known_regions_that_move_are_refused(tmp_path, params):
    with pytest.raises(InputError, match="--views is 1, but what a classifier says of a view changes"):
        runs.flint.train_joint(TARGET, SOURCE, runs.flint.MNIST.recipe, FLINT, run=runs.Run(tmp_path))
    with pytest.raises(InputError, match="--views is 3, but without augmentation all views"):
        interpret(tmp_path, params, views=3)
    knowledge = lap.Knowledge(np.ones((1, 8, 8), np.uint8), np.zeros(48, np.int32))
    with pytest.raises(InputError, match="--augment is shift, but known regions"):
        attend(tmp_path, params, knowledge=knowledge, augment="shift")


def write_boxes(path, source):
    """Of every image the left half of its rows 2 to 5, in two boxes."""
    lines = ["path,width,height,x0,y0,x1,y1"]
    for index in range(len(source)):
        lines += [f"{source.name(index)},8,8,0,2,2,5", f"{source.name(index)},8,8,2,2,4,5"]
    path.write_text("\n".join(lines))


def test_photographs_that_are_set_aside_are_learned_from_with_their_boxes_and_not_scored(tmp_path, params):
    held_out = data.Subset(data.digits("test"), np.arange(20, 40))
    write_boxes(tmp_path / "boxes.csv", held_out)
    options = PlugInRun(data="digits", weights="none", boxes=tmp_path / "boxes.csv", known_share=0.25)
    images = _set_aside(runs.Study(TARGET, params, SOURCE, held_out), options)
    assert (len(images.train), len(images.scored)) == (48 + 5, 15)
    learned = {images.train.name(index) for index in range(48, 53)}
    scored = {images.scored.name(index) for index in range(15)}
    assert learned | scored == {held_out.name(index) for index in range(20)} and not learned & scored
    assert images.knowledge.rows.tolist() == [-1] * 48 + [0, 1, 2, 3, 4]
    expected = np.zeros((8, 8), np.uint8)
    expected[2:5, :4] = 1
    np.testing.assert_array_equal(images.knowledge.masks, np.tile(expected, (5, 1, 1)))
    assert all(boxes.tolist() == [[2, 0, 5, 2], [2, 2, 5, 4]] for boxes in images.scored.boxes)


@pytest.mark.parametrize("share", [-0.1, 1.0, 0.2])
def test_a_share_that_is_none_or_has_no_boxes_is_refused(params, share):
    options = PlugInRun(data="digits", weights="none", known_share=share)
    with pytest.raises(InputError, match=rf"--known-share is {share} without --boxes; expected a share"):
        _set_aside(runs.Study(TARGET, params, SOURCE, SOURCE), options)
