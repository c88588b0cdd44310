import contextlib
import gc
import importlib.util
import resource
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpath.devices import replicate
from jaxpath.training import create_state
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import InputError


def make_state(mesh, value=1.0, size=1000):
    params = {"w": jnp.arange(size, dtype=jnp.float32) * value, "half": jnp.full(3, value, jnp.bfloat16)}
    state = create_state(params, optax.adamw(0.1), key=jax.random.key(3), extra={"dual": jnp.float32(value)})
    return replicate(state, mesh)


def raw(state):
    return jax.device_get(state._replace(key=jax.random.key_data(state.key)))


def open_(folder, **kwargs):
    return Checkpoints(folder, **{"config": {"seed": 0}, "save_every": 10, **kwargs})


@pytest.fixture
def three(tmp_path, one_device):
    """A folder with checkpoints of steps 1, 2 and 3, whose states are the step times a ramp."""
    checkpoints = open_(tmp_path / "run")
    for step in (1, 2, 3):
        checkpoints.save(step, make_state(one_device, step), data={"next": step})
    checkpoints.close()
    return tmp_path / "run"


@pytest.mark.parametrize("data", [{"next": 4, "workers": [1, 2]}, b"\x00\xff", None])
def test_state_key_and_data_come_back_as_they_were(tmp_path, one_device, data):
    checkpoints = open_(tmp_path)
    state = make_state(one_device, 0.1)
    checkpoints.save(4, state, data=data)
    checkpoints.close()
    restored = open_(tmp_path).restore(make_state(one_device, 0.0))
    assert (restored.step, restored.data) == (4, data)
    chex.assert_trees_all_equal(raw(restored.state), raw(state))
    assert type(restored.state.opt_state) is type(state.opt_state)


def test_a_state_may_be_donated_as_soon_as_it_is_being_saved(tmp_path, one_device):
    checkpoints = open_(tmp_path, max_to_keep=5)
    overwrite = jax.jit(lambda state: jax.tree.map(lambda w: w * 0 - 1, state), donate_argnums=0)
    for step in range(1, 5):
        state = make_state(one_device, step, size=1_000_000)
        expected = raw(state)
        checkpoints.save(step, state)
        jax.block_until_ready(overwrite(state._replace(key=jnp.zeros(2))))
    checkpoints.wait()
    chex.assert_trees_all_equal(
        raw(checkpoints.restore(make_state(one_device, size=1_000_000)).state), expected
    )
    checkpoints.close()


def test_another_number_of_devices_can_restore(three, eight_devices):
    restored = open_(three).restore(make_state(eight_devices, 0.0))
    assert len(restored.state.params["w"].addressable_shards) == 8
    np.testing.assert_array_equal(restored.state.params["w"], np.arange(1000) * 3)


def test_an_empty_folder_has_nothing_to_restore(tmp_path, one_device):
    checkpoints = open_(tmp_path / "new" / "run")
    assert checkpoints.latest_step is None
    assert checkpoints.restore(make_state(one_device)) is None


def test_only_the_newest_stay_also_after_a_restart(tmp_path, one_device):
    for steps, names in (((1, 2, 3), ["2", "3"]), ((5, 8), ["5", "8"])):
        checkpoints = open_(tmp_path, max_to_keep=2)
        for step in steps:
            checkpoints.save(step, make_state(one_device, step))
        checkpoints.close()
        assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == names


def test_another_configuration_is_refused_with_the_fields_that_differ(tmp_path):
    config = {"seed": 0, "model": {"name": "resnet18", "depths": (2, 2)}, "weights": "sha256:aa"}
    open_(tmp_path, config=config)
    open_(tmp_path, config=config)
    other = {"seed": 0, "model": {"name": "resnet20", "depths": (2, 2)}, "epsilon": 0.1}
    with pytest.raises(InputError) as error:
        open_(tmp_path, config=other)
    assert (
        'epsilon is nothing there and 0.1 here; model.name is "resnet18" there and "resnet20" here; '
        'weights is "sha256:aa" there and nothing here' in str(error.value)
    )
    assert "depths" not in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_an_object_store_without_its_package_is_one_clear_error():
    with pytest.raises(InputError, match=r"cannot reach gs://bucket/run: .*gcsfs"):
        open_("gs://bucket/run")


def test_an_object_store_that_takes_no_checkpoints_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"cannot go to s3://bucket/run; expected a folder or gs://"):
        open_("s3://bucket/run")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        open_(tmp_path / "file" / "run")


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(folder):
    path = largest_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder):
    path = largest_file(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.fixture
def abandoned_reads():
    """Orbax leaves the reads behind that a failed one stops; they complain when they are collected."""
    yield
    gc.collect()


@pytest.mark.usefixtures("abandoned_reads")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "spoil",
    [
        truncate,
        flip_a_bit,
        lambda folder: largest_file(folder).unlink(),
        lambda folder: shutil.rmtree(folder / "state"),
        lambda folder: shutil.rmtree(folder / "meta"),
        lambda folder: (folder / "meta" / "metadata").write_text('{"checks'),
    ],
    ids=["truncated", "bit flipped", "file gone", "state gone", "meta gone", "meta torn"],
)
def test_a_spoilt_checkpoint_falls_back_to_the_one_before_and_says_so(three, spoil, one_device, capsys):
    spoil(three / "3")
    checkpoints = open_(three)
    restored = checkpoints.restore(make_state(one_device, 0.0))
    assert (restored.step, restored.data) == (2, {"next": 2})
    np.testing.assert_array_equal(restored.state.params["w"], np.arange(1000) * 2)
    assert "checkpoint of step 3" in capsys.readouterr().err
    # The run goes on and writes step 3 again.
    checkpoints.save(3, make_state(one_device, 3))
    checkpoints.close()
    assert open_(three).restore(make_state(one_device)).step == 3


@pytest.mark.usefixtures("abandoned_reads")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_if_no_checkpoint_can_be_read_the_error_names_all(three, one_device):
    for step in "123":
        truncate(three / step)
    with pytest.raises(InputError, match=r"no checkpoint in .*step 3: .*step 2: .*step 1: "):
        open_(three).restore(make_state(one_device))


@contextlib.contextmanager
def disk_of(size):
    """No file may become longer than so many bytes, which a program sees as it sees a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# JSON, TensorStore's own files, arrays: each part of a checkpoint may be the first that finds no room.
@pytest.mark.parametrize("size", [64, 400, 1_000])
@pytest.mark.usefixtures("abandoned_reads")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_stays(three, one_device, size, capfd):
    checkpoints = open_(three)
    told = r"cannot write a checkpoint .*\(File too large\); the one of step 3 stays; make room"
    with disk_of(size), pytest.raises(InputError, match=told):
        checkpoints.save(4, make_state(one_device, 4))
        checkpoints.wait()
    # Orbax's threads log such errors with their tracebacks.
    assert "Traceback" not in capfd.readouterr().err
    assert open_(three).restore(make_state(one_device, 0)).step == 3


def test_a_damaged_configuration_is_one_sentence_and_loses_nothing(three):
    before = every_file(three)
    for content in (b'{"seed"', b"", b"\xff\xfe", b"[1]", b"[" * 100_000):
        (three / "config.json").write_bytes(content)
        with pytest.raises(
            InputError, match=r"config.json .*take another folder, or remove that file"
        ) as told:
            open_(three)
        assert "\n" not in str(told.value)
        assert every_file(three) == before and (three / "config.json").read_bytes() == content


def every_file(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("abandoned_reads")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_damage_to_any_file_of_a_checkpoint_is_noticed_or_harmless(tmp_path, three, one_device, damage):
    names = [path.relative_to(three) for path in every_file(three / "3")]
    assert len(names) > 5
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        shutil.copytree(three, folder)
        path = folder / name
        content = bytearray(path.read_bytes())
        if damage == "delete":
            path.unlink()
        elif damage == "truncate":
            path.write_bytes(content[: len(content) // 2])
        elif content:
            content[len(content) // 2] ^= 0x10
            path.write_bytes(content)
        checkpoints = open_(folder)
        restored = checkpoints.restore(make_state(one_device, 0))
        checkpoints.close()
        # Either all of it is as it was written, or it is the one before.
        assert restored.step in (2, 3), name
        assert restored.data == {"next": restored.step}, name
        chex.assert_trees_all_equal(raw(restored.state), raw(make_state(one_device, restored.step)))
