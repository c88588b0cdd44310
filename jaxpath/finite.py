"""NaN and infinity are refused where results are collected, before a figure is made of them.

A comparison hides them: argmax of logits that are NaN is class 0 for both of two predictions, which agree.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.types import InputError

_FLAG = "finite "

_REMEDY = (
    "expected numbers: look for NaN or infinity in the weights and images, or for values too large for their "
    "type"
)


def flags(**values: Array) -> dict[str, Array]:
    """Says, example by example, whether all is finite that the results of a step do not show as it is.

    To be returned beside these results, such as ``flags(logits=logits)`` beside a predicted class.
    :func:`jaxpath.devices.collect` looks at them and leaves them out. Runs on the device.

    Args:
        **values: What to call it -> [B, ...].
    """
    return {_FLAG + name.replace("_", " "): _finite_rows(array) for name, array in values.items()}


def checked(
    results: Mapping[str, np.ndarray],
    *,
    undefined: Collection[str] = (),
    name: Callable[[int], str] = "example {}".format,
) -> dict[str, np.ndarray]:
    """The results of a step without its flags.

    Args:
        results: Name -> [B, ...], on the host.
        undefined: Names of the results in which NaN is a value: a figure that not every example has.
        name: What to call the example in a row.

    Raises:
        InputError: Something is not finite; it says what and of which example.
    """
    for flagged in (True, False):
        for key, values in results.items():
            if key.startswith(_FLAG) is flagged and key not in undefined:
                _refuse(key.removeprefix(_FLAG), values if flagged else _finite(values), name)
    return {key: values for key, values in results.items() if not key.startswith(_FLAG)}


def check(what: str, *arrays: Any) -> None:
    """Refuses arrays that hold NaN or infinity; while a function is compiled there is nothing to look at.

    Args:
        what: What they are, in the plural.
        *arrays: Numbers, of any shape.

    Raises:
        InputError: A value is not finite.
    """
    for array in arrays:
        if not isinstance(array, jax.core.Tracer):
            count = int((~np.asarray(_finite(array))).sum())
            if count:
                raise InputError(f"{count} of the {np.size(array)} {what} are not finite; {_REMEDY}")


def nan_unless(inputs: Array, values: Array) -> Array:
    """Values [B], NaN for each example whose ``inputs`` [B, ...] are not finite: for compiled functions."""
    return jnp.where(_finite_rows(inputs), values, jnp.nan)


def _finite(values: Any) -> Any:
    """Elementwise; integers are always finite."""
    module = np if isinstance(values, np.ndarray) else jnp
    return module.isfinite(values)


def _finite_rows(values: Any) -> Any:
    """Bool [B] of [B, ...]."""
    return _finite(values).all(axis=tuple(range(1, values.ndim)))


def _refuse(what: str, finite: np.ndarray, name: Callable[[int], str]) -> None:
    rows = np.flatnonzero(~finite.all(axis=tuple(range(1, finite.ndim))))
    if rows.size:
        more = f" and of {rows.size - 1} more in its batch" if rows.size > 1 else ""
        raise InputError(f"{what.replace('_', ' ')} of {name(int(rows[0]))}{more} not finite; {_REMEDY}")
