"""Damaged and mislabelled files of every kind are read rightly or refused in one sentence."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "fuzzing" / "fuzz.py"


def test_a_few_damaged_files_of_every_kind_are_read_or_refused():
    # Another seed than that of the long form, which is run by hand.
    command = [sys.executable, str(SCRIPT), "--count", "63", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout
