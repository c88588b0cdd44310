import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.types import InputError, Mean


def test_a_mean_over_parts_of_unequal_size_is_exact():
    # Four ones and a zero: 0.8, where the mean of the two means is 0.5.
    result = Mean.of(jnp.ones(4)) + Mean.of(jnp.zeros(1))
    assert float(result.value) == pytest.approx(0.8)
    assert float(result.count) == 5


def test_weights_count_as_often_as_they_say():
    # (2 * 1 + 3 * 5) / 5
    assert float(Mean.of(jnp.array([1.0, 5.0]), jnp.array([2.0, 3.0])).value) == pytest.approx(3.4)


def test_padding_may_hold_anything():
    values = jnp.array([2.0, jnp.nan, jnp.inf, 4.0])
    result = Mean.of(values, jnp.array([1.0, 0.0, 0.0, 1.0]))
    assert (float(result.total), float(result.count), float(result.value)) == (6, 2, 3)


def test_nothing_counted_is_not_a_number_and_adds_nothing():
    nothing = Mean.of(jnp.array([5.0]), jnp.array([0.0]))
    assert np.isnan(nothing.value)
    assert float((nothing + Mean.of(jnp.array([2.0]))).value) == 2


def test_a_real_nan_is_not_hidden():
    assert np.isnan(Mean.of(jnp.array([1.0, jnp.nan]), jnp.array([1.0, 1.0])).value)


def test_an_input_error_is_a_value_error():
    with pytest.raises(ValueError, match="once"):
        raise InputError("said once")
