"""A classifier of digits, trained once, and the studio that explains it."""

import pytest

from jaxpath import data, runs
from jaxpath.app.command import open_studio
from jaxpath.cli.commands import App
from jaxpath.cli.options import MethodOptions, TargetOptions


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A ResNet-8 that knows most digits."""
    out = tmp_path_factory.mktemp("app")
    options = runs.TargetRun(
        model="resnet8",
        data="digits",
        image_size=8,
        out=out,
        classifier=runs.ClassifierOptions(train_steps=150, train_batch_size=64, train_learning_rate=1e-2),
    )
    runs.run_target(options)
    return out / "weights.safetensors"


@pytest.fixture(scope="session")
def options(weights):
    """``options(**more) -> App`` for these digits."""

    def make(**more):
        shared = {"classifier": TargetOptions(weights=str(weights)), "reference": "digits"}
        return App(**{**shared, "method": MethodOptions(), **more})

    return make


@pytest.fixture(scope="session")
def studio(options, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return open_studio(options())


@pytest.fixture(scope="session")
def digits():
    return data.digits("train")
