"""What channels stand for, in words, as somebody's file says, and what each word is worth."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxpath.choices import CHANCE
from jaxpath.files import read_arrays, read_json
from jaxpath.types import InputError, Site

_LEFT_OUT = "left_out"


class Word(str):
    """A word, or several, with what they are worth where that was measured; as text, it is a string.

    Attributes:
        score: Similarity of the word and the channel; None: not known. Scores of one site can be compared.
        chance: Share of random orders of the pictures that give a word of such a score; None: not known.
        following: The next words and their scores.
    """

    score: float | None
    chance: float | None
    following: tuple[tuple[str, float], ...]

    def __new__(
        cls,
        text: str = "",
        *,
        score: float | None = None,
        chance: float | None = None,
        following: Sequence[tuple[str, float]] = (),
    ) -> "Word":
        """A word with its worth."""
        word = super().__new__(cls, text)
        word.score, word.chance, word.following = score, chance, tuple(following)
        return word

    @property
    def by_chance(self) -> bool:
        """Whether pictures in a random order give a word of such a score as well: then it says nothing."""
        return self.chance is not None and self.chance > CHANCE


Words = Mapping[str, Mapping[int, str]]
"""Site name -> channel -> what somebody says it stands for: text, or a :class:`Word` with its worth."""


def word_of(words: Words | None, site: Site, channel: int) -> Word:
    """What a channel stands for; empty if nobody says so."""
    word = "" if words is None else words.get(site.name, {}).get(channel, "")
    return word if isinstance(word, Word) else Word(word)


def load_words(path: str | Path, sites: Sequence[Site]) -> Words:
    """Reads what channels stand for.

    Args:
        path: A ``.json`` file, site name -> a list of words per channel, or channel -> words; or an ``.npz``
            file with an array of words per channel for each site name. Words are text, a list of texts, or in
            JSON what ``jaxpath dissect`` writes: ``word``, ``score``, ``chance`` and ``next``. See
            :func:`load_left_out` for ``left_out``.
        sites: The target's sites.

    Raises:
        InputError: There is no such file, it has another form, or it names a site or a channel that is
            not there.
    """
    path = Path(path)
    form = "words of channels: site name -> a list of words, one per channel, or channel -> words"
    raw = _read(path, form)
    try:
        words = {str(site): _by_channel(values) for site, values in raw.items() if site != _LEFT_OUT}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} holds no words of channels ({error}); expected {form}") from error
    channels = {site.name: site.channels for site in sites}
    for site, by_channel in words.items():
        if site not in channels:
            raise InputError(f"{path} names the site {site!r}; expected some of {', '.join(channels)}")
        if by_channel and not 0 <= min(by_channel) <= max(by_channel) < channels[site]:
            raise InputError(
                f"{path} has words for channels {min(by_channel)} to {max(by_channel)} of {site}, which has "
                f"the channels 0 to {channels[site] - 1}; correct their numbers"
            )
    return words


def load_left_out(path: str | Path) -> tuple[str, ...]:
    """Reads what no channel could be named after: the list ``left_out`` of a file of :func:`load_words`.

    Raises:
        InputError: The file cannot be read, or ``left_out`` is no list.
    """
    raw = _read(Path(path), "a file of jaxpath dissect")
    left_out = raw.get(_LEFT_OUT, []) if isinstance(raw, Mapping) else None
    if not isinstance(left_out, list):
        raise InputError(
            f"left_out in {path} is {left_out!r}; expected a list of the words that were not offered"
        )
    return tuple(map(str, left_out))


def _read(path: Path, form: str) -> Mapping[str, Any]:
    if path.suffix == ".npz":
        return {name: array.tolist() for name, array in read_arrays(path, form).items()}
    return read_json(path, form)


def _by_channel(values: Any) -> dict[int, Word]:
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    return {int(channel): _word(word) for channel, word in pairs if word}


def _word(entry: Any) -> Word:
    if not isinstance(entry, Mapping):
        return Word(", ".join(map(str, entry)) if isinstance(entry, list) else str(entry))
    score, chance = (_number(entry, name) for name in ("score", "chance"))
    following = [(str(word), float(value)) for word, value in entry.get("next", ())]
    if "word" not in entry:
        raise ValueError(f"an entry has no 'word' but {', '.join(map(str, entry)) or 'nothing'}")
    return Word(str(entry["word"]), score=score, chance=chance, following=following)


def _number(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    if not math.isfinite(float(value)):
        raise ValueError(f"{name} is {value}, which is no number")
    return float(value)
