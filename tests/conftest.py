"""What every test shares: eight virtual CPU devices, strict ranks, the path of the real data."""

import os
from pathlib import Path

# Before JAX is imported: with fewer threads than virtual devices, a collective can wait for ever.
os.environ["NPROC"] = "8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Processes of one run, and runs, share what they compile.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".cache" / "compiled")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# JAXPATH_TEST_XLA=users compiles as users do, otherwise for a short wait.
if os.environ.get("JAXPATH_TEST_XLA") != "users":
    # XLA's older code generator compiles small programs in two thirds of the time.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jax
import pytest

from jaxpath.devices import make_mesh

jax.config.update("jax_num_cpu_devices", 8)
if os.environ.get("JAXPATH_TEST_XLA") != "users":
    # Most programs run once or twice: compiling them takes longer than anything that they do.
    jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def key() -> jax.Array:
    """A random key, the same in every test."""
    return jax.random.key(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real weights and images: $JAXPATH_TEST_DATA, or ``../shared/data``."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("JAXPATH_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set JAXPATH_TEST_DATA to its folder")
    return folder


@pytest.fixture
def one_device() -> jax.sharding.Mesh:
    """The mesh of one device."""
    return make_mesh(jax.devices()[:1])


@pytest.fixture
def eight_devices() -> jax.sharding.Mesh:
    """The mesh of all devices."""
    return make_mesh()
