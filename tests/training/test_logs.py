import json
import math
import resource
import struct

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from jaxpath.training.events import EventWriter, crc32c
from jaxpath.training.logs import MetricLog, Progress
from jaxpath.types import InputError


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_holds_the_step_and_its_metrics_and_null_for_nan(tmp_path):
    log = MetricLog(tmp_path)
    log.start(0)
    log.write(1, {"loss": 0.5, "leakage": math.nan})
    log.close()
    assert lines(tmp_path) == [{"step": 1, "loss": 0.5, "leakage": None}]


def test_resuming_drops_later_lines_and_a_torn_last_one(tmp_path):
    log = MetricLog(tmp_path)
    log.start(0)
    for step in (1, 2, 3):
        log.write(step, {"loss": float(step)})
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    log.start(2)
    log.write(3, {"loss": 30.0})
    log.close()
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_lines_of_a_damaged_log_are_dropped_and_the_others_stay(tmp_path):
    log = MetricLog(tmp_path)
    log.start(0)
    log.write(1, {"loss": 1.0})
    log.close()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'garbage\n[1]\n{"loss": 1}\n{"step": null}\n\xff\xfe\0\n')
    log.start(1)
    log.write(2, {"loss": 2.0})
    log.close()
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(1, 1.0), (2, 2.0)]


def test_a_full_disk_is_one_sentence(tmp_path):
    log = MetricLog(tmp_path)
    log.start(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(InputError, match=r"cannot write .*metrics.jsonl \(File too large\)"):
            for step in range(100):
                log.write(step, {"loss": 1.0})
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


FIELD = descriptor_pb2.FieldDescriptorProto


def event_class():
    """The parts of TensorFlow's event.proto and summary.proto that we write, as Protobuf's own message."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="test", syntax="proto3")
    messages = {
        "Value": [("tag", 1, FIELD.TYPE_STRING), ("simple_value", 2, FIELD.TYPE_FLOAT)],
        "Summary": [("value", 1, "Value")],
        "SessionLog": [("status", 1, FIELD.TYPE_INT32)],
        "Event": [
            ("wall_time", 1, FIELD.TYPE_DOUBLE),
            ("step", 2, FIELD.TYPE_INT64),
            ("file_version", 3, FIELD.TYPE_STRING),
            ("summary", 5, "Summary"),
            ("session_log", 7, "SessionLog"),
        ],
    }
    for message, fields in messages.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            field = described.field.add(name=name, number=number, label=FIELD.LABEL_OPTIONAL)
            if isinstance(kind, str):
                field.type, field.type_name = FIELD.TYPE_MESSAGE, f".test.{kind}"
            else:
                field.type = kind
            if kind == "Value":
                field.label = FIELD.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Event"))


def slow_crc32c(data):
    """RFC 3720's polynomial, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            mixed = (crc ^ (byte >> bit)) & 1
            crc = (crc >> 1) ^ (0x82F63B78 * mixed)
    return crc ^ 0xFFFFFFFF


def records(content):
    """The records of a TFRecord file: length, its masked checksum, the bytes, theirs."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        body = content[12 : 12 + length]
        for data, stored in ((content[:8], content[8:12]), (body, content[12 + length : 16 + length])):
            crc = slow_crc32c(data)
            rotated = (crc >> 15) | (crc << 17) % 2**32
            assert struct.unpack("<I", stored) == ((rotated + 0xA282EAD8) % 2**32,)
        yield body
        content = content[16 + length :]


def test_protobuf_reads_every_event_while_the_file_is_still_open(tmp_path):
    writer = EventWriter(tmp_path, first_step=7)
    writer.scalars(300, {"loss": 0.5, "eval/accuracy": -math.inf})
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("events.out.tfevents.")
    version, start, point = map(event_class().FromString, records(path.read_bytes()))
    writer.close()
    assert (version.file_version, version.step) == ("brain.Event:2", 0)
    assert (start.session_log.status, start.step) == (1, 7)
    assert point.step == 300 and 0 <= point.wall_time - start.wall_time < 60
    assert {value.tag: value.simple_value for value in point.summary.value} == {
        "loss": 0.5,
        "eval/accuracy": -math.inf,
    }


def test_tensorboard_reads_the_curves_of_a_resumed_run(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = EventWriter(tmp_path, first_step=1)
    for step in (1, 2, 300):
        first.scalars(step, {"loss": step / 2, "eval/accuracy": 0.25})
    first.close()
    second = EventWriter(tmp_path, first_step=3)
    second.scalars(3, {"loss": -7.5})
    second.close()
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 1.0), (3, -7.5)]
    assert [e.step for e in events.Scalars("eval/accuracy")] == [1, 2]


def test_the_checksum_is_castagnolis():
    # RFC 3720, B.4: 32 bytes of zeros, then of ones (both little-endian there).
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


def test_without_a_terminal_the_progress_is_a_line_every_ten_seconds(capsys, monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr("jaxpath.training.logs.time.monotonic", lambda: now[0])
    progress = Progress(50, title="train")
    for step in range(10, 51, 10):
        now = [next(clock)]
        progress.step(10)
        progress.show(step, {"loss": 0.25})
    # Lines at 0, 12 and 16 s: the one at 12 s knows 12 s for 30 steps, so 4 s are left for 10.
    assert capsys.readouterr().err.splitlines() == [
        "train: step 10/50 loss=0.25",
        "train: step 40/50 loss=0.25 (about 00:04 left)",
        "train: step 50/50 loss=0.25",
    ]
