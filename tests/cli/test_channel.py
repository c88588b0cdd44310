"""A page about one channel."""

import csv
import json

import pytest


def test_a_page_about_one_channel_and_a_row_for_every_picture(run, weights, many, tmp_path):
    words = tmp_path / "words.json"
    words.write_text(json.dumps({"000.relu": ["<i>edge</i>"] * 16}))
    command = ("channel", "--data", many, "--weights", weights, "--images", 30, "--words", words)
    status, output, error = run(*command, "--site", "000", "--channel", 3, "--out", tmp_path / "out")
    assert status == 0, error
    page = (tmp_path / "out" / "channel.html").read_text()
    assert "Channel 3 of 000.relu" in page and "&lt;i&gt;edge&lt;/i&gt;" in page and "<script" not in page
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    with (tmp_path / "out" / "pictures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(results["pictures"]) == 30 and results["schema_version"] == 1
    assert results["channel"]["site"] == "000.relu" and "excited most by" in output
    kept = sum(row["kept"] == "True" for row in rows) / 30
    assert abs(results["channel"]["kept"] - kept) < 1e-6
    status, _, error = run(*command, "--site", "000", "--channel", 16, "--out", tmp_path / "out")
    assert status == 2 and "channels 0 to 15" in error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--channels",), "--channels was given without --reference"),
        (("--attributions", "gradcam", "rise"), "no attribution named 'rise'"),
    ],
)
def test_what_a_report_cannot_show_of_channels_and_pixels_is_refused(
    run, weights, pictures, tmp_path, options, said
):
    command = ("explain", pictures / "b.png", "--weights", weights, "--out", tmp_path, *options)
    status, _, error = run(*command)
    assert status == 2 and said in error
