import json
import math

import pytest

from jaxpath.training.events import EventWriter, crc32c
from jaxpath.training.logs import MetricLog, Progress


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
