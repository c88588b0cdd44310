"""Embeddings of a tiny CLIP with random weights, offline; the cache, by an encoder that counts its calls."""

import io
import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from jaxpath import data, discover
from jaxpath.types import InputError


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """A folder as ``save_pretrained`` leaves it, and the model itself."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(code) for code in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**size, "vocab_size": len(words), "max_position_embeddings": 16}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {**size, "image_size": 16, "patch_size": 8}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    model = transformers.CLIPModel(config).eval()
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16)
    transformers.CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder, model


@pytest.mark.filterwarnings("ignore")
def test_embeddings_are_those_of_the_model(tiny_clip, tmp_path):
    import torch

    folder, model = tiny_clip
    encoder = discover.load_encoder(str(folder), batch_size=2)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    source = data.ArraySource(pixels, np.zeros(5, int))
    result = discover.embed(encoder, source, ("fur", "a wheel"), folder=tmp_path)
    assert result.images.shape == (5, 12) and result.texts.shape == (2, 12)
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    inputs = torch.tensor(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=inputs).pooler_output
        expected = model.visual_projection(pooled).numpy()
        # f, u, r and the end: letters of a word that ends have names of their own.
        tokens = torch.tensor([[0, 2 + 5, 2 + 20, 28 + 17, 1]])
        text = model.text_projection(model.text_model(input_ids=tokens).pooler_output).numpy()
    np.testing.assert_allclose(result.images, expected, atol=1e-4)
    np.testing.assert_allclose(result.texts[:1], text, atol=1e-4)
    assert discover.load_encoder(str(folder)).identity == encoder.identity


def counting(identity="one"):
    """An encoder whose embeddings are means of colours and lengths of words, and its calls."""
    calls = []

    def images(pictures):
        calls.append(len(pictures))
        return np.stack([picture.mean(axis=(0, 1)) for picture in pictures]).astype(np.float32)

    def texts(concepts):
        calls.append(list(concepts))
        return np.array([[len(concept), 1, 0] for concept in concepts], np.float32)

    return discover.Encoder(identity, images, texts), calls


def test_what_was_embedded_is_found_by_its_content(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), dtype=np.uint8)
    encoder, calls = counting()

    def run(encoder, pixels, concepts=("fur", "sky")):
        source = data.ArraySource(pixels, np.zeros(len(pixels), int))
        return discover.embed(encoder, source, concepts, folder=tmp_path)

    first = run(encoder, pixels)
    np.testing.assert_allclose(first.images, pixels.mean(axis=(1, 2)), rtol=1e-5)
    assert calls == [["fur", "sky"], 256, 256, 88]
    np.testing.assert_array_equal(run(encoder, pixels).images, first.images)
    assert len(calls) == 4
    changed = pixels.copy()
    changed[300] += 1
    np.testing.assert_allclose(run(encoder, changed).images, changed.mean(axis=(1, 2)), rtol=1e-5)
    run(encoder, pixels, ("furs", "ky"))
    assert calls[4:] == [256, ["furs", "ky"]]
    other, others_calls = counting("another")
    run(other, pixels)
    assert len(others_calls) == 4
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


@pytest.mark.parametrize("left", [0, 100])
def test_kept_embeddings_that_are_cut_short_are_computed_anew(tmp_path, capsys, left):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    source = data.ArraySource(pixels, np.zeros(5, int))
    encoder, calls = counting()
    first = discover.embed(encoder, source, ("fur",), folder=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:left])
    again = discover.embed(encoder, source, ("fur",), folder=tmp_path)
    assert calls == [["fur"], 5, ["fur"], 5] and capsys.readouterr().err.count("made anew") == 2
    np.testing.assert_array_equal(first.images, again.images)
    discover.embed(encoder, source, ("fur",), folder=tmp_path)
    assert len(calls) == 4


class WithHole(data.ArraySource):
    """The third picture cannot be read."""

    def __getitem__(self, index):
        if index == 2:
            raise data.UnreadableImage("example 2 is no image")
        return super().__getitem__(index)


def test_pictures_that_cannot_be_read_keep_their_place(tmp_path):
    source = WithHole(np.full((4, 2, 2, 3), 7, np.uint8), np.zeros(4, int))
    encoder, _ = counting()
    with pytest.raises(data.UnreadableImage):
        discover.embed(encoder, source, ("a",), folder=tmp_path)
    result = discover.embed(encoder, source, ("a",), folder=tmp_path, skip_unreadable=True)
    np.testing.assert_array_equal(result.images[:, 0], [7, 7, 0, 7])


def test_what_could_not_be_read_is_an_error_again_where_it_is_not_to_be_skipped(tmp_path):
    source = WithHole(np.full((4, 2, 2, 3), 7, np.uint8), np.zeros(4, int))
    encoder, calls = counting()
    discover.embed(encoder, source, ("a",), folder=tmp_path, skip_unreadable=True)
    count = len(calls)
    with pytest.raises(data.UnreadableImage, match="example 2 of the arrays is not a readable image"):
        discover.embed(encoder, source, ("a",), folder=tmp_path)
    assert len(calls) == count
    nothing = WithHole(np.full((3, 2, 2, 3), 7, np.uint8), np.zeros(3, int))
    with pytest.raises(data.NothingReadable, match="none of the 1 images"):
        discover.embed(encoder, data.Subset(nothing, [2]), ("a",), folder=tmp_path, skip_unreadable=True)


def test_an_encoder_that_gives_no_numbers_is_refused(tmp_path):
    encoder = counting()[0]._replace(images=lambda pictures: np.full((len(pictures), 3), np.nan, np.float32))
    source = data.ArraySource(np.zeros((2, 2, 2, 3), np.uint8), np.zeros(2, int))
    with pytest.raises(InputError, match=r"embedding of example 0 .* is not finite"):
        discover.embed(encoder, source, ("a",), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1  # that of the texts


def test_memory_does_not_grow_with_the_number_of_photographs(tmp_path):
    side = 1500
    picture = np.random.default_rng(0).integers(0, 4, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)

    class Photographs(data.ArraySource):
        """One photograph many times, as a file."""

        def __getitem__(self, index):
            return {"image": buffer.getvalue() + bytes([index]), "label": np.int32(0)}

    held = []
    encoder, _ = counting()
    source = Photographs(np.zeros((60, 1, 1, 3), np.uint8), np.zeros(60, int))

    def images(pictures):
        held.append(sum(map(np.size, pictures)))
        return encoder.images(pictures)

    tracemalloc.start()
    result = discover.embed(encoder._replace(images=images), source, ("a",), folder=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(result.images, np.tile(picture.mean(axis=(0, 1)), (60, 1)), rtol=1e-5)
    assert sum(held) == 60 * picture.size and max(held) < 2**24 + picture.size
    # 60 photographs are 405 MB.
    assert peak < 80e6, peak


def test_without_transformers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(InputError, match="not installed; pip install torch transformers, or give embeddings"):
        discover.load_encoder("nowhere")
