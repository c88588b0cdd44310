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
        assert one.dtype == other.dtype and np.shape(one) == np.shape(other)
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


VARIABLES = {
    "params": {"Dense_0": {"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}},
    "batch_stats": {"norm": {"mean": np.ones(3, np.float32)}},
}
SHAPES = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), VARIABLES)


def doubled(tree):
    return jax.tree.map(lambda leaf: 2 * leaf, tree)


def save_by_orbax(tree, path):
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path.absolute(), tree)


def test_a_folder_of_orbax_is_read(tmp_path):
    save_by_orbax(VARIABLES, tmp_path / "one")
    assert targets.holds_parameters(tmp_path / "one")
    before = targets.weights_hash(tmp_path / "one")
    same(targets.load_parameters(tmp_path / "one"), VARIABLES)
    assert targets.weights_hash(tmp_path / "one") == before
    (tmp_path / "one" / "d" / "more").write_bytes(b"1")
    assert targets.weights_hash(tmp_path / "one") != before
    (tmp_path / "one" / "d" / "more").unlink()
    same(targets.load_parameters(tmp_path / "one", like=SHAPES), VARIABLES)


def test_of_a_manager_the_newest_step_is_read(tmp_path):
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(tmp_path / "steps") as manager:
        for step, tree in ((9, VARIABLES), (10, doubled(VARIABLES))):
            manager.save(step, args=ocp.args.StandardSave(tree))
    same(targets.load_parameters(tmp_path / "steps", like=SHAPES), doubled(VARIABLES))
    same(targets.load_parameters(tmp_path / "steps" / "9", like=SHAPES), VARIABLES)
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(VARIABLES), ema=ocp.args.StandardSave(doubled(VARIABLES))
    )
    with ocp.CheckpointManager(tmp_path / "items", item_names=("state", "ema")) as manager:
        manager.save(1, args=items)
    with pytest.raises(InputError, match=r"holds 2 pytrees; give one of them: .*/1/ema, .*/1/state"):
        targets.load_parameters(tmp_path / "items", like=SHAPES)
    same(targets.load_parameters(tmp_path / "items" / "1" / "ema", like=SHAPES), doubled(VARIABLES))


def test_parameters_are_found_in_a_train_state(tmp_path):
    import optax
    from flax.training import train_state

    class State(train_state.TrainState):
        batch_stats: dict

    moments = optax.trace(0.9)
    state = State.create(
        apply_fn=None, params=VARIABLES["params"], tx=moments, batch_stats=VARIABLES["batch_stats"]
    )
    save_by_orbax(state, tmp_path / "orbax")
    (tmp_path / "state.msgpack").write_bytes(serialization.to_bytes(state))
    for name in ("orbax", "state.msgpack"):
        same(targets.load_parameters(tmp_path / name, like=SHAPES), VARIABLES)
    only = {"params": VARIABLES["params"]}
    save_by_orbax(only["params"], tmp_path / "without")  # as HF's .msgpack has them
    same(targets.load_parameters(tmp_path / "without", like=only), only)
    save_by_orbax({"model": VARIABLES, "step": np.array(3)}, tmp_path / "deeper")
    same(targets.load_parameters(tmp_path / "deeper", like=SHAPES), VARIABLES)


def test_the_state_of_an_nnx_module_is_read(tmp_path):
    from flax import nnx

    module = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    save_by_orbax(nnx.state(module), tmp_path / "nnx")
    expected = targets.nnx_params(module)
    same(targets.load_parameters(tmp_path / "nnx", like=expected), expected)


def test_a_folder_of_flaxs_checkpoints_is_read(tmp_path):
    for step, tree in ((9, VARIABLES), (10, doubled(VARIABLES))):
        (tmp_path / f"checkpoint_{step}").write_bytes(serialization.to_bytes({"target": tree, "step": step}))
    assert targets.holds_parameters(tmp_path)
    same(targets.load_parameters(tmp_path, like=SHAPES), doubled(VARIABLES))
    same(targets.load_parameters(tmp_path / "checkpoint_9", like=SHAPES), VARIABLES)


def test_checkpoints_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no checkpoint of Orbax; give the folder of one"):
        targets.load_parameters(tmp_path)
    assert not targets.holds_parameters(tmp_path)
    save_by_orbax(VARIABLES, tmp_path / "one")
    other = {"params": {"Dense_0": {"kernel": np.ones((4, 4))}}}
    with pytest.raises(InputError, match=r"has the shapes params/Dense_0/kernel \(2, 3\) for \(4, 4\)"):
        targets.load_parameters(tmp_path / "one", like=other)
    for file in (tmp_path / "one" / "d").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"no readable checkpoint of Orbax"):
        targets.load_parameters(tmp_path / "one", like=SHAPES)
