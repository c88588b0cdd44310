"""What is not finite is refused with its name, on the host at once and on the device through flags."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import finite
from jaxpath.types import InputError

BAD = (np.nan, np.inf, -np.inf)


@pytest.mark.parametrize("bad", BAD)
def test_an_array_is_refused_with_how_many_values_are_meant(bad):
    values = np.array([[1.0, bad], [bad, 2.0]])
    with pytest.raises(InputError, match="2 of the 4 confidences are not finite; expected numbers"):
        finite.check("confidences", np.zeros(3), values)
    finite.check("confidences", np.zeros(3), np.arange(4), np.zeros(0))


def test_a_function_that_is_compiled_looks_at_nothing_and_marks_the_example_instead():
    @jax.jit
    def means(values):
        finite.check("values", values)
        return finite.nan_unless(values, values.max(axis=(1, 2)))

    values = np.ones((3, 2, 2), np.float32)
    values[1, 0, 1] = -np.inf
    np.testing.assert_array_equal(means(values), [1, np.nan, 1])


@pytest.mark.parametrize("bad", BAD)
def test_flags_say_which_example_is_meant_and_are_left_out(bad):
    logits = jnp.zeros((3, 5)).at[1, 2].set(bad)
    results = {"predicted": np.zeros(3, int), **finite.flags(logits_of_draws=logits, counts=jnp.arange(3))}
    results = {name: np.asarray(values) for name, values in results.items()}
    with pytest.raises(InputError, match=r"logits of draws of cat 1\.png not finite; expected numbers"):
        finite.checked(results, name="cat {}.png".format)
    fine = {**results, "finite logits of draws": np.ones(3, bool)}
    assert list(finite.checked(fine)) == ["predicted"]


def test_results_are_looked_at_themselves_unless_nan_is_a_value_there():
    results = {"iou": np.ones(4), "clean_confidence": np.array([1, np.nan, 1, np.nan])}
    with pytest.raises(InputError, match="clean confidence of example 1 and of 1 more in its batch"):
        finite.checked(results)
    assert finite.checked(results, undefined=["clean_confidence"]).keys() == results.keys()
    assert finite.checked({"masks": np.zeros((0, 4), bool), "bits": np.zeros((2, 0))}).keys() == {
        "masks",
        "bits",
    }
