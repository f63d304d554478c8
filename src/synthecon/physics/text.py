"""Real text that every CPython ships: the help topics of `pydoc_data.topics`, as characters.

The topics repeat each other: some are whole chapters of which others are sections.  A split by
topic would then put the same paragraph on both sides, so `load` keeps each paragraph once, in the
shortest topic that has it.

Python's own manual changes from one release to the next, so the version is part of the corpus's
name: another Python has another corpus, and the records made from this one are neither right nor
wrong there.
"""

from __future__ import annotations

import hashlib
import importlib
import platform
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ALPHABET", "PREFIX", "Corpus", "TextError", "TextSplit"]
__all__ += ["decode", "encode", "fingerprint", "knows", "load", "repeated", "split", "unique"]

ALPHABET = "\n" + string.digits + string.ascii_letters + string.punctuation + " "
"""The vocabulary, fixed beforehand: 96 characters, the printable ones of ASCII and the newline."""

PREFIX = "pydoc-topics-"  # then the version of Python
PASSAGE = 48  # characters that two texts do not share by chance
_NUMBER = {character: number for number, character in enumerate(ALPHABET)}
_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\t": "    "}
)


class TextError(ValueError):
    """The text is not there, or cannot be split as asked."""


@dataclass(frozen=True)
class Corpus:
    """Topics by name, in alphabetical order; every character is in `ALPHABET`.

    source: which text this is, in words.  sha256: of all topics, whatever the limit.
    """

    name: str
    topics: Mapping[str, str]
    source: str
    sha256: str

    @property
    def characters(self) -> int:
        return sum(map(len, self.topics.values()))


@dataclass(frozen=True)
class TextSplit:
    """Names of topics, disjoint, in random order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def load(limit: int = 0) -> Corpus:
    """The help topics of this Python, without repetition.

    Args:
        limit: keep about so many characters (whole topics, in a fixed random order); 0 keeps all.

    Raises:
        TextError: this Python came without them.
    """
    topics, digest = _topics()
    if limit:
        order, kept, total = _shuffled(sorted(topics), 0), {}, 0
        for topic in order:
            if total < limit or len(kept) < 3:
                kept[topic] = topics[topic]
                total += len(topics[topic])
        topics = {topic: kept[topic] for topic in sorted(kept)}
    version = platform.python_version()
    source = f"pydoc_data.topics of Python {version}, each paragraph once"
    return Corpus(PREFIX + version, topics, source, digest)


def knows(name: str) -> bool:
    """Whether a record's data set of this name is such a corpus, of whichever Python."""
    return name.startswith(PREFIX)


def fingerprint(name: str) -> str | None:
    """Corpus.sha256 of the corpus at hand; None where this Python is another one or has none."""
    if name != PREFIX + platform.python_version():
        return None
    try:
        return _topics()[1]
    except TextError:
        return None


def _topics() -> tuple[dict[str, str], str]:
    try:
        raw = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError) as error:
        raise TextError(
            f"this Python ({platform.python_version()}) came without pydoc_data.topics, the text "
            "of help('topics'): install its standard library whole"
        ) from error
    topics = unique({name: plain(text) for name, text in raw.items()})
    digest = hashlib.sha256()
    for name, text in topics.items():
        digest.update(f"{name}\0{text}\0".encode())
    return topics, digest.hexdigest()


def plain(text: str) -> str:
    """The text in `ALPHABET`: typographic quotes and dashes as typed ones, the rest as `?`."""
    text = text.replace("\r\n", "\n").translate(_PLAIN)
    return "".join(c if c in _NUMBER else "?" for c in text)


def unique(topics: Mapping[str, str]) -> dict[str, str]:
    """Each paragraph once, in the shortest topic that has it; topics left empty are gone.

    A paragraph counts as repeated when more than half of its passages of 48 characters stood
    before, so a changed reference does not make it new; white space does not count.
    """
    seen: set[str] = set()
    kept: dict[str, str] = {}
    for name in sorted(topics, key=lambda name: (len(topics[name]), name)):
        paragraphs = []
        for paragraph in re.split(r"\n{2,}", topics[name]):
            passages = _passages(paragraph)
            if passages and 2 * len(passages & seen) <= len(passages):
                paragraphs.append(paragraph)
                seen |= passages
        if text := "\n\n".join(paragraphs).strip("\n"):
            kept[name] = text + "\n"
    return {name: kept[name] for name in sorted(kept)}


def _passages(text: str) -> set[str]:
    """Every run of 48 characters; a shorter text is one passage, an empty one has none."""
    words = " ".join(text.split())
    last = max(1, len(words) - PASSAGE + 1)
    return {words[i : i + PASSAGE] for i in range(last)} - {""}


def repeated(texts: Iterable[str], others: Iterable[str]) -> float:
    """Share of the 48-character passages of `texts` that also stand in one of the `others`."""
    here, there = (set().union(*map(_passages, part)) for part in (texts, others))
    return len(here & there) / max(1, len(here))


def split(corpus: Corpus, seed: int, validation: float, test: float) -> TextSplit:
    """Draw whole topics for validation and test; the rest is for training.

    Topics are shuffled, and dealt to the test until it has its share of the characters, then to
    validation.  A topic that is longer than what is still missing is passed over, so that one
    long topic cannot become the whole test.

    Args:
        validation, test: shares of the characters, above 0, together below 1.

    Raises:
        TextError: shares out of range, or a part that would stay empty.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise TextError(
            f"validation={validation} and test={test} are shares above 0 that leave some to train"
        )
    parts: dict[str, list[str]] = {"test": [], "validation": [], "train": []}
    room = {"test": test * corpus.characters, "validation": validation * corpus.characters}
    for topic in _shuffled(sorted(corpus.topics), seed):
        size = len(corpus.topics[topic])
        part = next((p for p in room if size <= room[p]), "train")
        parts[part].append(topic)
        if part != "train":
            room[part] -= size
    if empty := [part for part, topics in parts.items() if not topics]:
        raise TextError(
            f"no topic is short enough for {' and '.join(empty)}: {len(corpus.topics)} topics, "
            f"{corpus.characters} characters, validation={validation}, test={test}"
        )
    return TextSplit(*(tuple(parts[part]) for part in ("train", "validation", "test")))


def _shuffled(names: Sequence[str], seed: int) -> list[str]:
    """In an order that only seed and names decide, on every machine and Python."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())


def encode(text: str) -> Tensor:
    """Characters as numbers in 0..95, int64 [len(text)].

    Raises:
        TextError: a character outside `ALPHABET`.
    """
    import torch

    try:
        return torch.tensor([_NUMBER[character] for character in text], dtype=torch.int64)
    except KeyError as error:
        raise TextError(
            f"{error.args[0]!r} is not in the alphabet: pass the text to plain"
        ) from None


def decode(numbers: Tensor) -> str:
    """The text of a row of numbers, int64 [L]."""
    return "".join(ALPHABET[number] for number in numbers.tolist())
