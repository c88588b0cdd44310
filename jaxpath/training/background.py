"""What threads of Orbax and TensorStore print themselves about errors that they raise as well."""

import functools
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

_LEFT_BEHIND = "Event loop is closed"
"""Of reads and writes that are given up because another one has failed."""


@functools.cache
def quieten() -> None:
    """Drops their tracebacks: whoever waits for a checkpoint gets the error, and says it in one sentence."""
    for name in ("absl", "asyncio"):
        logging.getLogger(name).addFilter(_is_news)
    sys.unraisablehook = functools.partial(_unraisable, sys.unraisablehook)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record is no traceback through Orbax."""
    if not record.exc_info:
        return True
    frames = traceback.walk_tb(record.exc_info[2])
    return not any("orbax" in frame.f_code.co_filename for frame, _ in frames)


def _unraisable(before: Callable[[Any], None], unraisable: Any) -> None:
    if not (isinstance(unraisable.exc_value, RuntimeError) and str(unraisable.exc_value) == _LEFT_BEHIND):
        before(unraisable)
