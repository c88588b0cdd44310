"""Any pytree of parameters comes back from its file, bit for bit and in its structure."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import serialization
from safetensors import safe_open
from safetensors.numpy import save_file

from jaxpath import targets
from jaxpath.types import InputError

TREE = {
    "layers": [{"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}, {"kernel": np.ones(2, np.int32)}],
    "pair": (np.zeros((), np.float32), np.array([1, 2.5], ml_dtypes.bfloat16)),
    "nothing": None,
    "nested": {"empty": {}, "flag": np.array([True, False])},
}


def same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one), other)


def test_dictionaries_lists_and_tuples_come_back_by_the_header_alone(tmp_path):
    targets.save_parameters(TREE, tmp_path / "p.safetensors")
    same(targets.load_parameters(tmp_path / "p.safetensors"), TREE)
    names = set(safe_open(tmp_path / "p.safetensors", framework="numpy").keys())
    assert names == {"layers/0/kernel", "layers/1/kernel", "pair/0", "pair/1", "nested/flag"}


class Node(NamedTuple):
    a: np.ndarray
    b: list


def test_other_nodes_come_back_with_parameters_to_be_like(tmp_path):
    node = {"n": Node(np.ones(2, np.float32), [np.zeros(3, np.float32)])}
    targets.save_parameters(node, tmp_path / "p.safetensors")
    shapes = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, node))
    same(targets.load_parameters(tmp_path / "p.safetensors", like=shapes), node)
    with pytest.raises(InputError, match=r"holds a Node; give like="):
        targets.load_parameters(tmp_path / "p.safetensors")


def test_a_msgpack_of_flax_is_read(tmp_path):
    tree = {"params": {"Dense_0": {"kernel": np.ones((2, 3), np.float32)}}}
    (tmp_path / "m.msgpack").write_bytes(serialization.to_bytes(tree))
    same(targets.load_parameters(tmp_path / "m.msgpack"), tree)
    same(targets.load_parameters(tmp_path / "m.msgpack", like=tree), tree)
    assert targets.holds_parameters(tmp_path / "m.msgpack")
    (tmp_path / "m.msgpack").write_bytes(b"\xc1")
    with pytest.raises(InputError, match=r"no readable msgpack of Flax"):
        targets.load_parameters(tmp_path / "m.msgpack")


def test_other_parameters_are_refused_with_what_differs(tmp_path):
    targets.save_parameters({"a": np.ones(2), "b": np.ones(3)}, tmp_path / "p.safetensors")
    with pytest.raises(InputError, match=r"lacks c; has besides b; has the shapes a \(2,\) for \(4,\)"):
        targets.load_parameters(tmp_path / "p.safetensors", like={"a": np.ones(4), "c": np.ones(1)})


def test_files_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected the suffix .safetensors"):
        targets.save_parameters(TREE, tmp_path / "p.npz")
    with pytest.raises(InputError, match=r"there is no file"):
        targets.load_parameters(tmp_path / "p.safetensors")
    with pytest.raises(InputError, match=r"expected a pytree of arrays of numbers"):
        targets.save_parameters({"a": np.array(["text"])}, tmp_path / "p.safetensors")
    save_file({"a": np.ones(2)}, tmp_path / "q.safetensors")
    assert not targets.holds_parameters(tmp_path / "q.safetensors")
    with pytest.raises(InputError, match=r"does not say how its arrays belong together"):
        targets.load_parameters(tmp_path / "q.safetensors")
