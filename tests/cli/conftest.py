"""The commands in this process, on an untrained ResNet-8 for digits."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxpath import cli, data, targets

NASTY = "<img src=x onerror=alert(1)> & 'q'.png"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache folder of these tests' own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def run(capsys):
    """``run("explain", ...) -> (status, stdout, stderr)``."""

    def command(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            cli.main([str(argument) for argument in arguments])
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return status, *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    target = targets.resnet8(image_size=8, channels=1)
    targets.save_weights(target, target.init(jax.random.key(0)), path)
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Five digits as files, one in a folder below, and one whose name holds HTML."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    images = data.digits("test").images[..., 0]
    for name, image in zip((NASTY, "b.png", "c.png", "d.png", "more/e.png"), images, strict=False):
        Image.fromarray(image).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """Forty digits as an .npz file."""
    digits = data.digits("train")
    path = tmp_path_factory.mktemp("many") / "digits.npz"
    names = np.array([f"<b>{c}</b>" for c in range(10)])
    np.savez(path, images=digits.images[:40], labels=digits.labels[:40], class_names=names)
    return path
