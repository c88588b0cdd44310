"""The text of --help as readers see it, in boxes and without."""

from jaxpath.option_help import plain

BOX = """╭─ options ──────────────────────────────────────╮
│ --class {None}|STR      This ``class``.        │
│                         (default: None)        │
│ --mean {None}|{[FLOAT [FLOAT ...]]}            │
│                         Numbers. (default:     │
│                         None)                  │
│ --kind {None,a,b}       One. (default: a)      │
│ [[PATH [PATH ...]]]     Files. (default: )     │
╰────────────────────────────────────────────────╯"""


def test_what_only_a_parser_needs_is_gone_and_the_box_stays_a_box():
    lines = plain(BOX).split("\n")
    assert lines[1:-1] == [
        "│ --class STR             This class.            │",
        "│ --mean FLOAT ...                               │",
        "│                         Numbers.               │",
        "│ --kind {a,b}            One. (default: a)      │",
        "│ PATH ...                Files.                 │",
    ]
    assert {len(line) for line in lines} == {50}


def test_without_a_box_lines_end_where_their_words_do():
    assert plain("  --words {None}|PATH  Words ``here``.\n      (default: None)\n  next") == (
        "  --words PATH         Words here.\n  next"
    )
