"""TensorBoard event files without TensorFlow: scalars only, encoded by hand.

An event file is a sequence of TFRecords, each an ``Event`` protocol buffer
(tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto).

Our choice, instead of the package tensorboardX: a scalar's format does not change, every point is in the
file at once, and a run that is resumed within a second gets a file of its own. tensorboardX 2.6.5 queues
points for a thread, so that a killed run loses some, and names files by the second.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types of protocol buffers
_SESSION_START = 1  # SessionLog.START


class EventWriter:
    """Writes one event file into ``directory``.

    Args:
        directory: Made if it does not exist.
        first_step: TensorBoard drops what earlier files in the folder say about this step and the
            ones after it, so that a resumed run shows one curve.
    """

    def __init__(self, directory: Path, *, first_step: int = 0):
        directory.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads a folder's files in the order of their names.
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._file = (directory / name).open("wb")
        self._write(_event(0, _field(3, _BYTES, b"brain.Event:2")))
        self._write(_event(first_step, _field(7, _BYTES, _field(1, _VARINT, _SESSION_START))))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point at ``step`` to the curve of each name."""
        summary = b"".join(_field(1, _BYTES, _scalar(tag, value)) for tag, value in values.items())
        self._write(_event(step, _field(5, _BYTES, summary)))

    def close(self) -> None:
        """Closes the file; everything has been written already."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked_crc(length) + event + _masked_crc(event))
        self._file.flush()


def _event(step: int, what: bytes) -> bytes:
    return _field(1, _DOUBLE, time.time()) + _field(2, _VARINT, step) + what


def _scalar(tag: str, value: float) -> bytes:
    return _field(1, _BYTES, tag.encode()) + _field(2, _FLOAT, value)


def _field(number: int, wire_type: int, value: float | bytes) -> bytes:
    head = _varint(number << 3 | wire_type)
    if isinstance(value, bytes):
        return head + _varint(len(value)) + value
    if wire_type == _VARINT:
        return head + _varint(int(value))
    return head + struct.pack("<d" if wire_type == _DOUBLE else "<f", value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Returns the Castagnoli checksum of ``data`` (RFC 3720, appendix B.4).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked_crc(data: bytes) -> bytes:
    """A TFRecord's checksum: rotated and shifted, so that checksums of checksums stay useful."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
