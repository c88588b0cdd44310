"""Small HTML tables by which results show themselves in a notebook. Needs nothing but Python."""

import html
from collections.abc import Iterable, Sequence

_OPEN, _CLOSED = "#0b4f8a", "#e9ecef"
"""The colours of the figures: open and closed."""

_MOST_ROWS = 24
"""A longer table starts folded."""


class Html(str):
    """Text that is HTML already."""


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table under a caption that folds it away; cells are escaped unless they are :class:`Html`.

    >>> table("Two", ["name"], [["a"], ["<b>"]])[-64:]
    '<tr><td>a</td></tr><tr><td>&lt;b&gt;</td></tr></table></details>'
    """
    lines = [_row("td", cells) for cells in rows]
    state = " open" if len(lines) <= _MOST_ROWS else ""
    body = _row("th", header) + "".join(lines)
    return f"<details{state}><summary>{html.escape(caption)}</summary><table>{body}</table></details>"


def bar(share: float) -> Html:
    """A share in [0, 1] as a horizontal bar."""
    filled = f"<div style='background:{_OPEN};width:{100 * share:.1f}%;height:0.8em'></div>"
    return Html(f"<div style='background:{_CLOSED};width:12em'>{filled}</div>")


def percent(share: float) -> str:
    """A share in percent, with a decimal where a whole number says too little.

    >>> percent(0.237), percent(0.004), percent(1.0)
    ('24 %', '0.4 %', '100 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.095 else f"{100 * share:.0f} %"


def _row(tag: str, cells: Iterable[object]) -> str:
    texts = (cell if isinstance(cell, Html) else html.escape(str(cell)) for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{text}</{tag}>' for text in texts)}</tr>"
