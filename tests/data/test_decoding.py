"""Scales of values, colour modes, turns, thin and enormous pictures: values that were worked out by hand."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from picture_files import TURNS, encoded, noise, noted
from PIL import Image, ImageOps, TiffImagePlugin

from jaxpath.data import UnreadableImage, center_crop, decode
from jaxpath.data.decoding import open_picture
from jaxpath.data.transforms import shorter_side_size
from jaxpath.types import InputError, Preprocessing

RGB = ((0.5,) * 3, (0.5,) * 3)
PHOTOGRAPHS = Preprocessing(256, (224, 224), *RGB)
RAMP = np.linspace(0, 65535, 64 * 64).round().reshape(64, 64)
"""From black to white in 16 bits."""

AS_BYTES = (RAMP // 256).astype(np.uint8)
"""What a 16-bit PNG file of it is decoded to."""


def tiff(values, *, bits, kind, photometric=1, samples=1):
    """An uncompressed little-endian TIFF file, as bytes; ``kind`` 1 is unsigned, 2 signed, 3 floats."""
    height, width = values.shape[:2]
    pixels = values.tobytes()
    numbers = struct.pack(f"<{samples}H", *[bits] * samples)
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, samples, bits if samples == 1 else 8),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8 + len(numbers)),
        (277, 3, 1, samples),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
        (339, 3, 1, kind),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    place = 8 + len(numbers) + len(pixels)
    head = b"II*\0" + struct.pack("<I", place) + numbers
    return head + pixels + struct.pack("<H", len(tags)) + entries + b"\0" * 4


def pnm(values, largest, kind="P5"):
    return f"{kind} {values.shape[1]} {values.shape[0]} {largest}\n".encode() + values.astype(">u2").tobytes()


def packed_12_bits(values):
    """Two values in three bytes."""
    a, b = values.reshape(-1, 2).T.astype(int)
    return (
        np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], axis=1).astype(np.uint8).reshape(len(values), -1)
    )


TWELVE = (RAMP // 16).astype(int)
DEEP = {
    "16-bit PNG": encoded(Image.fromarray(RAMP.astype(np.uint16))),
    "16-bit PGM": pnm(RAMP, 65535),
    "12-bit PGM": pnm(TWELVE, 4095),
    "10-bit PGM": pnm(RAMP // 64, 1023),
    "plain 16-bit PGM": b"P2 64 64 65535\n" + " ".join(str(int(v)) for v in RAMP.flat).encode(),
    "16-bit TIFF": tiff(RAMP.astype("<u2"), bits=16, kind=1),
    "16-bit big-endian TIFF": encoded(Image.fromarray(RAMP.astype(">u2")), "TIFF"),
    "16-bit TIFF, 0 is white": tiff((65535 - RAMP).astype("<u2"), bits=16, kind=1, photometric=0),
    "32-bit TIFF": tiff(RAMP.astype("<i4"), bits=32, kind=2),
    "unsigned 32-bit TIFF": tiff(RAMP.astype("<u4"), bits=32, kind=1),
    "32-bit TIFF of 8-bit values": tiff(AS_BYTES.astype("<i4"), bits=32, kind=2),
    "floats from 0 to 1": tiff((RAMP / 65535).astype("<f4"), bits=32, kind=3),
    "floats from 0 to 255": tiff(AS_BYTES.astype("<f4"), bits=32, kind=3),
    "PFM": b"Pf 64 64 -1.0\n" + (RAMP / 65535).astype("<f4")[::-1].tobytes(),
    "RGB 16-bit TIFF": tiff(
        np.repeat(RAMP.astype("<u2")[..., None], 3, axis=2), bits=16, kind=1, photometric=2, samples=3
    ),
}


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_pictures_are_scaled_and_not_clipped(name, channels):
    array = decode(DEEP[name], channels=channels)
    assert (array.dtype, array.shape) == (np.uint8, (64, 64, channels))
    # A file of 10 or 12 bits is scaled by its largest value, 16 / 16.0037 of what a shift gives.
    allowed = 1 if "10-bit" in name else 0
    assert np.abs(array.astype(int) - AS_BYTES[..., None]).max() <= allowed


def test_a_16_bit_ppm_keeps_its_colours():
    values = np.stack([RAMP, 65535 - RAMP, np.full_like(RAMP, 32768)], axis=2)
    expected = (values / 65535 * 255).round()
    np.testing.assert_array_equal(decode(pnm(values, 65535, "P6")), expected)


def test_a_12_bit_tiff_is_scaled_by_its_own_bits():
    content = tiff(packed_12_bits(TWELVE), bits=12, kind=1)
    # The width is that of the picture, not of the packed bytes.
    content = content.replace(struct.pack("<HHII", 256, 3, 1, 96), struct.pack("<HHII", 256, 3, 1, 64))
    np.testing.assert_array_equal(decode(content, channels=1)[..., 0], TWELVE >> 4)


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (np.array([[0, 70_000]], "<i4"), 2, "whole numbers from 0 to 70,000"),
        (np.array([[-1, 5]], "<i4"), 2, "whole numbers from -1 to 5"),
        (np.array([[0, 0.5, 300]], "<f4"), 3, "floats from 0 to 300"),
        (np.array([[-0.5, 1]], "<f4"), 3, "floats from -0.5 to 1"),
        # Dark in 16 bits, or white in 10 or 12; dark up to 255, or bright up to something else.
        (np.array([[0, 4095]], "<i4"), 2, "whole numbers from 0 to 4,095"),
        (np.array([[0, 4.0]], "<f4"), 3, "floats from 0 to 4"),
        (np.array([[0.5, np.nan, 0.2]], "<f4"), 3, "nan"),
        (np.array([[0.5, np.inf]], "<f4"), 3, "inf"),
    ],
)
def test_values_of_an_unknown_scale_are_refused(values, kind, words):
    with pytest.raises(UnreadableImage, match=words) as caught:
        decode(tiff(values, bits=32, kind=kind))
    assert "which of them is white is unknown" in str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_few_bits_in_a_file_of_16_are_told_or_refused(form):
    with pytest.raises(UnreadableImage, match=r"whole numbers from 0 to 4,095, .* scale it to 8 or 16 bits"):
        decode(encoded(Image.fromarray(TWELVE.astype(np.uint16)), form))
    eight = decode(encoded(Image.fromarray(AS_BYTES.astype(np.uint16)), form), channels=1)
    np.testing.assert_array_equal(eight[..., 0], AS_BYTES)


def test_a_tiff_that_tells_its_largest_value_is_scaled_by_it():
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[281] = 4095
    file = io.BytesIO()
    Image.fromarray(TWELVE.astype(np.uint16)).save(file, "TIFF", tiffinfo=info)
    np.testing.assert_array_equal(decode(file.getvalue(), channels=1)[..., 0], AS_BYTES)


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_values_are_refused(bits):
    values = np.array([[0, 100]], f"<i{bits // 8}")
    with pytest.raises(UnreadableImage, match="signed whole numbers"):
        decode(tiff(values, bits=bits, kind=2))


def test_what_resampling_adds_to_white_and_black_is_cut_off():
    floats = np.array([[-0.03, 0.0, 0.5, 1.0, 1.027]])
    for white, kind in ((1.0, "<f4"), (255.0, "<f4")):
        decoded = decode(tiff((floats * white).astype(kind), bits=32, kind=3), channels=1)
        assert decoded[0, [0, 1, 3, 4], 0].tolist() == [0, 0, 255, 255]
        assert abs(int(decoded[0, 2, 0]) - 127.5) <= 0.5


MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "LA",
    "PA",
    "I;16",
    "I;16B",
    "I",
    "F",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_that_pillow_has_becomes_eight_bits(mode, channels):
    picture = Image.new(mode, (4, 2))
    array = decode(picture, channels=channels)
    assert (array.dtype, array.shape) == (np.uint8, (2, 4, channels))


def test_a_lab_picture_is_seen_in_grey_as_in_colour():
    picture = Image.new("LAB", (1, 1), (128, 128, 128))
    colours = decode(picture)
    assert np.abs(colours.astype(int) - 119).max() <= 1  # L* = 50.2 is 119 in sRGB.
    assert abs(int(decode(picture, channels=1)[0, 0, 0]) - 119) <= 1


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_pictures_the_first_is_taken(form):
    first, second = (Image.new("RGB", (3, 2), colour) for colour in ((200, 0, 0), (0, 0, 200)))
    options = {"lossless": True} if form == "WEBP" else {}
    content = encoded(first, form, save_all=True, append_images=[second], **options)
    np.testing.assert_array_equal(decode(content), np.full((2, 3, 3), [200, 0, 0]))


def test_arrays_that_are_no_pictures_are_refused():
    for array in (
        np.zeros((2, 2, 3), np.float32),
        np.zeros((2, 2, 3), np.uint16),
        np.zeros((2, 2, 4), np.uint8),
    ):
        with pytest.raises(InputError, match="expected uint8"):
            decode(array)
        with pytest.raises(InputError, match="expected uint8"):
            center_crop(array, PHOTOGRAPHS)


@pytest.mark.parametrize("size", [(2000, 100), (100, 2000), (3000, 7), (33, 4000), (1600, 100)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    "preprocessing", [PHOTOGRAPHS, Preprocessing(None, (32, 48), *RGB), Preprocessing(16, (32, 20), *RGB)]
)
def test_thin_pictures_are_those_that_are_resized_and_then_cropped(size, interpolation, preprocessing):
    preprocessing = preprocessing._replace(interpolation=interpolation)
    # Of a middle contrast: what a filter overshoots is cut off at black and white, between its two passes.
    picture = 64 + noise(*size[::-1]) // 2
    height, width = preprocessing.crop
    shorter = preprocessing.resize
    scale = max(height / size[1], width / size[0]) if shorter is None else shorter / min(size)
    whole = tuple(int(length * scale + 1e-9) for length in size)
    resized = Image.fromarray(picture).resize(whole, Image.Resampling[interpolation.upper()])
    # torchvision's CenterCrop pads what is too small, and rounds to even.
    left, top = (
        round((length - crop) / 2) if length >= crop else -((crop - length) // 2)
        for length, crop in zip(whole, (width, height), strict=True)
    )
    expected = np.asarray(resized.crop((left, top, left + width, top + height)))
    for orientation in (1, 6, 7):
        # Stored such that it is upright after its turn.
        undo = {6: 8}.get(orientation, orientation)
        content = noted(Image.fromarray(np.ascontiguousarray(TURNS[undo](picture))), orientation)
        view = center_crop(open_picture(content), preprocessing)
        assert np.abs(view.astype(int) - expected).max() <= 1, orientation


@pytest.mark.parametrize(
    ("interpolation", "form", "orientation"),
    [("bilinear", "JPEG", 6), ("bicubic", "PNG", 6), ("nearest", "JPEG", 1), ("bilinear", "PNG", 1)],
)
def test_large_pictures_are_nearly_those_that_are_resized_at_once(
    interpolation, form, orientation, monkeypatch
):
    monkeypatch.setattr("jaxpath.data.transforms.LARGE", 2**20)
    # Waves that are long enough for JPEG to keep them.
    y, x = np.mgrid[:1033, :1087]
    waves = [127 + 127 * np.sin(x / 53 + y / 77), x / 4.3, y / 4.1]
    image = Image.fromarray(np.stack(waves, axis=2).astype(np.uint8))
    preprocessing = Preprocessing(64, (56, 56), *RGB, interpolation)
    content = noted(image, orientation, form, **({"quality": 95} if form == "JPEG" else {}))
    view = center_crop(open_picture(content), preprocessing)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    whole = shorter_side_size(upright.size, 64)
    resized = upright.resize(whole, Image.Resampling[interpolation.upper()])
    left, top = (round((length - 56) / 2) for length in whole)
    expected = np.asarray(resized.crop((left, top, left + 56, top + 56)))
    assert np.abs(view.astype(int) - expected).max() <= 2


def png_of_size(width, height, mode=0):
    """A grey PNG file of any size, black, without holding it: a decompression bomb if it is large."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    packer = zlib.compressobj(1)
    row = b"\0" * (width + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, mode, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9460, 12_000, 20_000])
@pytest.mark.filterwarnings("ignore:Image size")
def test_a_picture_of_too_many_pixels_is_refused(side):
    content = png_of_size(side, 1)
    # Its header says that it is a square.
    head = content[:20] + struct.pack(">I", side) + content[24:29]
    content = head + struct.pack(">I", zlib.crc32(head[12:29])) + content[33:]
    with pytest.raises(UnreadableImage, match=r"89,478,485.*make it smaller"):
        open_picture(content)


@pytest.mark.parametrize("limit", ["a warning that is an error", "an error"])
def test_pillows_own_limit_is_told_alike(limit, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 if limit == "an error" else 60)
    with pytest.raises(UnreadableImage, match=r"89,478,485.*make it smaller"):
        open_picture(encoded(Image.new("L", (10, 10))))


MEASURED = """
import resource, sys
import numpy as np
from jaxpath.data import center_crop, random_resized_crop
from jaxpath.data.decoding import open_picture
from jaxpath.types import Preprocessing

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = peak()
for path in sys.argv[1:]:
    content = open(path, "rb").read()
    view = center_crop(open_picture(content), Preprocessing(256, (224, 224), (0.5,) * 3, (0.5,) * 3))
    random_resized_crop(open_picture(content), np.random.default_rng(0), (224, 224))
    print(view.mean(), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_memory_is_bounded_for_any_picture(tmp_path):
    # In the order of what they may take, in MiB: the peak is that of all so far.
    allowed = {(20_000, 1): 20, (1, 30_000): 20, (7000, 7000): 120, (60_000_000, 1): 320}
    for number, size in enumerate(allowed):
        (tmp_path / f"{number}.png").write_bytes(png_of_size(*size))
    files = map(str, sorted(tmp_path.glob("*.png")))
    asked = subprocess.run(
        [sys.executable, "-c", MEASURED, *files], capture_output=True, text=True, check=True
    )
    rows = np.array([line.split() for line in asked.stdout.splitlines()], float)
    np.testing.assert_array_equal(rows[:, 0], 0)
    assert (rows[:, 1] < list(allowed.values())).all(), rows


def test_a_picture_for_an_encoder_is_bounded_in_size_and_shape():
    picture = noise(90, 60)
    np.testing.assert_array_equal(decode(picture.copy(), most_pixels=5400), picture)
    small = decode(encoded(Image.fromarray(picture)), most_pixels=1350)
    blocks = picture.reshape(45, 2, 30, 2, 3).mean(axis=(1, 3))
    assert small.shape == (45, 30, 3) and np.abs(small - blocks).max() <= 0.5
    thin = noise(2, 100)
    middle = decode(encoded(Image.fromarray(thin)), most_pixels=1000)
    np.testing.assert_array_equal(middle, thin[:, 34:66])
