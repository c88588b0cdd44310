"""CLIP and SigLIP embeddings by transformers, kept by a hash of what was embedded."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxpath import data
from jaxpath.caches import cache_file, kept
from jaxpath.choices import CLIP as CLIP
from jaxpath.discover.embeddings import Embeddings
from jaxpath.errors import InputError, not_installed
from jaxpath.files import load_arrays

FORMAT = 2
"""Raised with every change of what a kept file holds."""

_CHUNK = 256
"""Images or texts of one file in the cache."""

_MOST_PIXELS = 2**24
"""Of one picture; of more, blocks of pixels are averaged."""

_VALUES_AT_ONCE = 2**24
"""From so many on, pictures are handed to the encoder: memory does not grow with their size."""

_DECODED = "1"
"""Changes when the same file is decoded to other pixels."""


class Encoder(NamedTuple):
    """An encoder of images and texts into one space.

    Attributes:
        identity: SHA-256 of everything that its embeddings depend on: weights and preprocessing.
        images: Pictures uint8 [H, W, 3] -> [b, D].
        texts: Concepts -> [m, D].
    """

    identity: str
    images: Callable[[Sequence[np.ndarray]], np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]


def load_encoder(name: str = CLIP, *, batch_size: int = 32) -> Encoder:
    """Loads a CLIP or SigLIP model with its own preprocessing; concepts are embedded without a template.

    Args:
        name: On the Hugging Face Hub, or a folder of ``save_pretrained``.
        batch_size: Images or texts at a time.

    Raises:
        InputError: PyTorch or transformers is not installed, or there is no such model.
    """
    try:
        import torch
        from transformers import AutoModel, AutoProcessor
    except ImportError as error:
        raise not_installed(
            f"computing embeddings with {name}",
            f"PyTorch with transformers ({error})",
            "torch transformers",
            otherwise="give embeddings as an .npz file",
        ) from error
    try:
        model, processor = AutoModel.from_pretrained(name), AutoProcessor.from_pretrained(name)
    # ValueError covers folders and repositories that hold another kind of model.
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(
            f"the encoder {name!r} cannot be loaded ({reason}); expected a CLIP or SigLIP model on the "
            "Hugging Face Hub or in a folder"
        ) from error
    if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise InputError(f"{name!r} does not embed images and texts; expected a CLIP or SigLIP model")
    model.eval()

    def run(features: Callable[..., Any], inputs: Any) -> np.ndarray:
        with torch.inference_mode():
            output = features(**inputs)
        # A tensor up to transformers 4, an output with the projected features from 5 on.
        tensor = getattr(output, "pooler_output", output)
        return tensor.float().numpy()

    def in_batches(items: Sequence[Any], embed: Callable[[Sequence[Any]], np.ndarray]) -> np.ndarray:
        parts = [embed(items[i : i + batch_size]) for i in range(0, len(items), batch_size)]
        return np.concatenate(parts)

    def images(pictures: Sequence[np.ndarray]) -> np.ndarray:
        def embed(batch: Sequence[np.ndarray]) -> np.ndarray:
            inputs = processor.image_processor(images=list(batch), return_tensors="pt")
            return run(model.get_image_features, inputs)

        return in_batches(pictures, embed)

    # SigLIP was trained on texts that are padded to one length.
    padding = "max_length" if "siglip" in model.config.model_type else True

    def texts(concepts: Sequence[str]) -> np.ndarray:
        def embed(batch: Sequence[str]) -> np.ndarray:
            inputs = processor.tokenizer(list(batch), padding=padding, truncation=True, return_tensors="pt")
            return run(model.get_text_features, inputs)

        return in_batches(concepts, embed)

    return Encoder(_identity(model, processor), images, texts)


def embed(
    encoder: Encoder,
    source: data.Source,
    concepts: Sequence[str],
    *,
    folder: Path | None = None,
    skip_unreadable: bool = False,
) -> Embeddings:
    """Embeddings of all images of a data set and of concepts.

    What was computed before is read from the cache. There, embeddings are found by a hash of the encoder and
    of the very files or words, so that nothing stale is ever taken.

    Args:
        encoder: From :func:`load_encoder`.
        source: The data set; its order is kept.
        concepts: M concepts.
        folder: The cache; None takes ``~/.cache/jaxpath/embeddings``.
        skip_unreadable: Leaves zeros for files that are no images; they have no activations either.

    Raises:
        InputError: A file is no image and is not to be skipped.
        NothingReadable: No image can be read.
    """
    texts = []
    for start in range(0, len(concepts), _CHUNK):
        chunk = concepts[start : start + _CHUNK]
        digest = _digest(encoder.identity, map(str.encode, chunk))
        texts.append(_kept(folder, digest, len(chunk), partial(encoder.texts, chunk)))
    width = texts[0].shape[1]
    images = [np.zeros((0, width), np.float32)]
    for start in range(0, len(source), _CHUNK):
        places = range(start, min(start + _CHUNK, len(source)))
        digest = _digest(encoder.identity, (_content(source, place) for place in places))
        make = partial(_embed_images, encoder, source, places, width, skip_unreadable=skip_unreadable)
        images.append(_kept(folder, digest, len(places), make))
    return Embeddings(
        _without_holes(np.concatenate(images), source, skip_unreadable=skip_unreadable),
        np.concatenate(texts),
        tuple(concepts),
    )


def _without_holes(images: np.ndarray, source: data.Source, *, skip_unreadable: bool) -> np.ndarray:
    """Embeddings with zeros for NaN, which stands for what is no picture, if that is to be skipped."""
    holes = np.isnan(images).any(axis=1)
    if holes.any() and not skip_unreadable:
        data.read_picture(source, int(holes.argmax()), most_pixels=_MOST_PIXELS)
    if holes.all():
        data.check_some_readable(source)
    return np.where(holes[:, None], 0, images)


def _embed_images(
    encoder: Encoder, source: data.Source, places: Sequence[int], width: int, *, skip_unreadable: bool
) -> np.ndarray:
    """Embeddings [n, ``width``] of pictures, few of which are held at once; NaN for what is no picture."""
    rows = np.full((len(places), width), np.nan, np.float32)
    at: list[int] = []
    pictures: list[np.ndarray] = []
    for row, place in enumerate(places):
        try:
            pictures.append(data.read_picture(source, place, most_pixels=_MOST_PIXELS))
            at.append(row)
        except data.UnreadableImage:
            if not skip_unreadable:
                raise
        is_last = row == len(places) - 1
        if pictures and (is_last or sum(map(np.size, pictures)) >= _VALUES_AT_ONCE):
            rows[at] = encoder.images(pictures)
            if not np.isfinite(rows[at]).all():
                raise InputError(
                    f"the encoder's embedding of {source.name(places[at[0]])}, or of a picture after it, is "
                    "not finite; check the encoder's weights"
                )
            at, pictures = [], []
    return rows


def _content(source: data.Source, place: int) -> bytes:
    """The picture as it is stored."""
    try:
        image = source[place]["image"]
    except data.UnreadableImage:
        return b"unreadable"
    kind = f"{_DECODED} {type(image).__name__} {() if isinstance(image, bytes) else image.shape} "
    return kind.encode() + (image if isinstance(image, bytes) else image.tobytes())


def _digest(identity: str, contents: Iterable[bytes]) -> str:
    """A hash of an encoder and what it is given."""
    digest = hashlib.sha256(identity.encode())
    for content in contents:
        # With lengths, so that two lists never read the same.
        digest.update(f"{len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _kept(folder: Path | None, digest: str, count: int, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The embeddings of this name, ``count`` of them: from their file, or made and written."""
    path = cache_file("embeddings", digest, version=FORMAT, folder=folder)
    return kept(path, make, read=lambda path: _read(path, count), write=_write)


def _write(path: Path, embeddings: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.savez(file, embeddings=embeddings)


def _read(path: Path, count: int) -> np.ndarray:
    """The embeddings of ``count`` items; whatever else the file holds is an exception."""
    embeddings = load_arrays(path)["embeddings"]
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != count:
        raise ValueError(f"it holds no embeddings of {count} items")
    return embeddings


def _identity(model: Any, processor: Any) -> str:
    digest = hashlib.sha256(processor.image_processor.to_json_string().encode())
    digest.update(str(sorted(processor.tokenizer.get_vocab().items())).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
