"""A generator that begins with another one's parts: by name and shape, the others as they were drawn."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxpath import gencnp, runs, targets
from jaxpath.types import InputError

OPTIONS = runs.GeneratorOptions(width=8, grid=1)


def make(target, width=8, seed=0):
    generator = runs.make_generator(target, runs.GeneratorOptions(width=width, grid=1))
    params = target.init(jax.random.key(0))
    return generator, params, runs.init_generator(generator, target, params, seed=seed)


@pytest.fixture
def written(tmp_path):
    target = targets.resnet8(num_classes=3, image_size=8, channels=1)
    generator, params, weights = make(target)
    path = tmp_path / runs.GENERATOR
    gencnp.save_generator(generator, weights, target, path, target_params=params)
    return path, weights


def test_a_generator_for_other_classes_takes_all_but_what_has_one_row_per_class(written):
    path, weights = written
    _, _, drawn = make(targets.resnet8(num_classes=5, image_size=8, channels=1), seed=1)
    start = gencnp.begin_with(path, drawn)
    assert set(start.drawn) == {"params/class_head/bias", "params/class_head/kernel"}
    old, new, result = (flatten_dict(tree, sep="/") for tree in (weights, drawn, start.params))
    assert set(start.taken) | set(start.drawn) == set(new) == set(result)
    for name, array in result.items():
        np.testing.assert_array_equal(array, (new if name in start.drawn else old)[name], err_msg=name)


def test_another_network_takes_what_maps_of_the_same_shape_share(written):
    path, _ = written
    _, _, drawn = make(targets.resnet20(num_classes=3, image_size=8, channels=1), seed=1)
    start = gencnp.begin_with(path, drawn)
    # Of the recursions and the scorers there are as many as sites.
    assert {"params/class_head/kernel", "params/class_evidence/kernel"} <= set(start.taken)
    assert all(not name.startswith("params/score") for name in start.taken)


def test_nothing_that_fits_is_an_error(written):
    path, _ = written
    _, _, drawn = make(targets.resnet8(num_classes=5, image_size=8, channels=1), width=16)
    fitting = {name for name, array in flatten_dict(drawn, sep="/").items() if 8 not in array.shape}
    assert fitting
    drawn = {"params": {"class_head": drawn["params"]["class_head"]}}
    with pytest.raises(InputError, match="of width 8 for resnet8, has the name and shape of a part"):
        gencnp.begin_with(path, drawn)
