"""The kinds of files that jaxpath reads: a sound one of each, and what reads it as the product does."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image

from jaxpath import data, discover, findings, gencnp, targets, training
from jaxpath.cli import opening
from jaxpath.data import index as data_index
from jaxpath.runs import generators
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import Params, Preprocessing, Target

_SIDE = 8
_SMALL = Preprocessing(_SIDE, (_SIDE, _SIDE), mean=(0.5,) * 3, std=(0.5,) * 3)


class Kind(NamedTuple):
    """Files of one kind.

    Attributes:
        make: Writes a sound set of files into an empty folder; returns those that may be damaged.
        read: Reads what ``make`` wrote, given the folder; what it returns must be right if the damage is in a
            cache, which nobody but the program has written.
        is_cache: Whether damage must change nothing.
    """

    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]
    is_cache: bool = False


def _picture(number: int, mode: str = "RGB", size: tuple[int, int] = (24, 17)) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def _encoded(form: str, **options) -> bytes:
    file = io.BytesIO()
    image = _picture(0, "L" if form == "PGM" else "RGB")
    image.save(file, "PPM" if form == "PGM" else form, **options)
    return file.getvalue()


def _exif() -> bytes:
    turned = Image.Exif()
    turned[0x0112] = 6
    return turned.tobytes()


def _sixteen_bits() -> bytes:
    ramp = np.arange(24 * 17, dtype=">u2") * 160
    return b"P5 24 17 65535\n" + ramp.tobytes()


_FORMS: dict[str, Callable[[], bytes]] = {
    "jpg": lambda: _encoded("JPEG", exif=_exif()),
    "png": lambda: _encoded("PNG"),
    "gif": lambda: _encoded("GIF"),
    "bmp": lambda: _encoded("BMP"),
    "webp": lambda: _encoded("WEBP"),
    "tif": lambda: _encoded("TIFF"),
    "ppm": lambda: _encoded("PPM"),
    "pgm": _sixteen_bits,
}


def _picture_kind(suffix: str) -> Kind:
    def make(folder: Path) -> list[Path]:
        path = folder / f"picture.{suffix}"
        path.write_bytes(_FORMS[suffix]())
        return [path]

    def read(folder: Path) -> object:
        source = data.image_files([folder])
        serial = data.Reading(num_threads=0)
        evaluation = data.eval_batches(source, batch_size=1, preprocessing=_SMALL, reading=serial)
        training_views = data.train_batches(
            source, batch_size=2, preprocessing=_SMALL, seed=0, augment="crop_flip", reading=serial
        )
        return next(evaluation), next(training_views)

    return Kind(make, read)


def _read_all(source: data.Source) -> object:
    serial = data.Reading(num_threads=0)
    batches = list(data.eval_batches(source, batch_size=4, preprocessing=_SMALL, reading=serial))
    assert sum(batch["weight"].sum() for batch in batches) == len(source)
    assert all(0 <= label < source.num_classes for batch in batches for label in batch["label"])
    return source.class_names


def _tree(folder: Path) -> list[Path]:
    files = []
    for number, name in enumerate(("ant/1.png", "ant/2.jpg", "bee/3.png", "cat/4.gif")):
        path = folder / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(number).save(path)
        files.append(path)
    for name, values in {
        "wnids.json": ["cat", "bee", "ant"],
        "class_names.json": ["Cat", "Bee", "Ant"],
    }.items():
        (folder / name).write_text(json.dumps(values))
        files.append(folder / name)
    return files


def _tar(folder: Path) -> list[Path]:
    _tree(folder)
    path = folder / "set.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder / "set", arcname="set")
    return [path]


def _npz(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 9, 9, 3), np.uint8), np.arange(6, dtype=np.int64) % 3
    np.savez(folder / "set.npz", images=images, labels=labels, class_names=["a", "b", "c"])
    np.savez_compressed(folder / "small.npz", x_train=images, y_train=labels)
    return [folder / "set.npz", folder / "small.npz"]


def _read_npz(folder: Path) -> object:
    return [_read_all(data.open_source(str(folder / name))) for name in ("set.npz", "small.npz")]


def _quickdraw(folder: Path) -> list[Path]:
    for name in ("cat", "dog"):
        np.save(folder / f"{name}.npy", np.random.default_rng(0).integers(0, 256, (20, 784), np.uint8))
    return sorted(folder.glob("*.npy"))


def _classifier() -> tuple[Target, Params]:
    target = targets.resnet8(image_size=_SIDE, channels=1)
    return target, target.init(jax.random.key(0))


def _weights(folder: Path) -> list[Path]:
    targets.save_weights(*_classifier(), folder / "weights.safetensors")
    return [folder / "weights.safetensors"]


def _read_weights(folder: Path) -> object:
    path = folder / "weights.safetensors"
    targets.describe_weights(path)
    params = targets.load_weights(targets.resnet8(image_size=_SIDE, channels=1), path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
    return None


def _torch_weights(folder: Path) -> list[Path]:
    import torch
    from safetensors.numpy import load_file

    (weights,) = _weights(folder)
    state = {name: torch.from_numpy(tensor.copy()) for name, tensor in load_file(weights).items()}
    torch.save({"state_dict": state, "epoch": 3}, folder / "weights.pth")
    return [folder / "weights.pth"]


def _read_torch_weights(folder: Path) -> object:
    targets.describe_weights(folder / "weights.pth")
    return targets.load_weights(targets.resnet8(image_size=_SIDE, channels=1), folder / "weights.pth")


def _generator(folder: Path) -> list[Path]:
    target, params = _classifier()
    generator = gencnp.Generator(target.sites, target.num_classes, width=4, grid=1)
    fresh = generators.init_generator(generator, target, params, seed=0)
    gencnp.save_generator(generator, fresh, target, folder / "generator.safetensors", target_params=params)
    return [folder / "generator.safetensors"]


def _read_generator(folder: Path) -> object:
    target, params = _classifier()
    return gencnp.load_generator(folder / "generator.safetensors", target, params=params)


def _class_names(folder: Path) -> list[Path]:
    (folder / "names.json").write_text(json.dumps([f"class {i}" for i in range(10)]))
    return [folder / "names.json"]


def _words(folder: Path) -> list[Path]:
    sites = _classifier()[0].sites
    words = {site.name: [f"word {i}" for i in range(site.channels)] for site in sites[:2]}
    worth = {"word": "fur", "score": 1.5, "chance": 0.05, "next": [["ear", 1.0]]}
    (folder / "words.json").write_text(json.dumps({**words, sites[1].name: {"0": worth}}))
    np.savez(folder / "words.npz", **{name: np.array(of_site) for name, of_site in words.items()})
    return [folder / "words.json", folder / "words.npz"]


def _read_words(folder: Path) -> object:
    sites = _classifier()[0].sites
    return [findings.load_words(folder / name, sites) for name in ("words.json", "words.npz")]


def _class_pathways(folder: Path) -> list[Path]:
    target = _classifier()[0]
    channels = sum(site.channels for site in target.sites)
    learned = findings.ClassPathways(np.full((10, channels), 0.5), np.full(10, 3), 0.5, (), "a method")
    findings.save_class_pathways(learned, target, folder / "class_pathways.npz")
    return [folder / "class_pathways.npz"]


def _embeddings(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    made = discover.Embeddings(rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), ("a", "b", "c"))
    discover.save_embeddings(made, folder / "embeddings.npz")
    (folder / "concepts.txt").write_text("ant\nbee\ncat\n")
    return [folder / "embeddings.npz", folder / "concepts.txt"]


def _read_embeddings(folder: Path) -> object:
    return discover.load_embeddings(folder / "embeddings.npz"), discover.read_concepts(
        folder / "concepts.txt"
    )


def _open_indexed(folder: Path) -> data.Source:
    """The class folders by an index on disk, as long lists of files have."""
    import os

    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    data_index.CACHE_FROM = 0
    return data.open_source(str(folder / "set"))


def _index_cache(folder: Path) -> list[Path]:
    _tree(folder)
    _open_indexed(folder)
    return sorted(path for path in (folder / "cache").rglob("*") if path.is_file())


def _read_index_cache(folder: Path) -> object:
    source = _open_indexed(folder)
    return [(Path(source.name(i)).name, int(source[i]["label"])) for i in range(len(source))]


def _colours(pictures) -> np.ndarray:
    return np.stack([np.asarray(picture, np.float32).mean(axis=(0, 1)) for picture in pictures])


def _letters(texts) -> np.ndarray:
    return np.array([[len(text), text.count("a"), 1] for text in texts], np.float32)


def _embed(folder: Path) -> object:
    encoder = discover.Encoder("mean colours and numbers of letters", _colours, _letters)
    source = data.image_files([folder / "set"])
    return discover.embed(encoder, source, ("ant", "bee"), folder=folder / "embeddings")


def _embedding_cache(folder: Path) -> list[Path]:
    _tree(folder)
    _embed(folder)
    return sorted(path for path in (folder / "embeddings").rglob("*") if path.is_file())


def _read_embedding_cache(folder: Path) -> object:
    embedded = _embed(folder)
    return embedded.images.tolist(), embedded.texts.tolist()


def _state() -> training.TrainState:
    params = {"w": jnp.arange(64.0), "b": jnp.ones(3)}
    return training.create_state(params, optax.adam(1e-3), key=jax.random.key(0))


def _checkpoints(folder: Path) -> Checkpoints:
    return Checkpoints(folder / "checkpoints", config={"steps": 2, "lr": 0.1}, save_every=1)


def _run_folder(folder: Path) -> list[Path]:
    saver = _checkpoints(folder)
    for step in (1, 2):
        saver.save(step, _state(), data={"next_batch": step})
    saver.close()
    return sorted(path for path in (folder / "checkpoints").rglob("*") if path.is_file())


def _read_run_folder(folder: Path) -> object:
    saver = _checkpoints(folder)
    try:
        restored = saver.restore(jax.eval_shape(_state))
        if restored is not None:
            np.testing.assert_array_equal(restored.state.params["w"], np.arange(64.0))
            assert restored.step in (1, 2)
    finally:
        saver.close()
    return None


KINDS: dict[str, Kind] = {
    **{f"picture.{suffix}": _picture_kind(suffix) for suffix in _FORMS},
    "folder": Kind(_tree, lambda folder: _read_all(data.open_source(str(folder / "set")))),
    "tar": Kind(_tar, lambda folder: _read_all(data.open_source(str(folder / "set.tar")))),
    "npz": Kind(_npz, _read_npz),
    "quickdraw": Kind(_quickdraw, lambda folder: _read_all(data.quickdraw(folder, classes=("cat", "dog")))),
    "weights": Kind(_weights, _read_weights),
    "generator": Kind(_generator, _read_generator),
    "class names": Kind(_class_names, lambda folder: opening.read_class_names(folder / "names.json", 10)),
    "words": Kind(_words, _read_words),
    "class pathways": Kind(
        _class_pathways,
        lambda folder: findings.load_class_pathways(folder / "class_pathways.npz", _classifier()[0]),
    ),
    "embeddings": Kind(_embeddings, _read_embeddings),
    "index cache": Kind(_index_cache, _read_index_cache, is_cache=True),
    "embedding cache": Kind(_embedding_cache, _read_embedding_cache, is_cache=True),
    "run folder": Kind(_run_folder, _read_run_folder),
}
"""By name. PyTorch's files are added where PyTorch is installed."""

try:
    import torch  # noqa: F401
except ImportError:
    pass
else:
    KINDS["torch weights"] = Kind(_torch_weights, _read_torch_weights)

__all__ = ["KINDS", "Kind"]
