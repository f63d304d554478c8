"""The text: one alphabet, each paragraph once, whole topics on one side, and honest staleness."""

from __future__ import annotations

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon import records
from synthecon.physics import text

LONG = "A paragraph that is long enough to have more than one passage of forty-eight characters."
OTHER = "Another one, which shares no run of forty-eight characters with the first of the two."


@pytest.fixture(scope="module")
def corpus() -> text.Corpus:
    return text.load()


def test_the_corpus_is_real_text_in_one_alphabet(corpus):
    assert len(corpus.topics) > 50
    assert corpus.characters > 200_000
    assert set("".join(corpus.topics.values())) <= set(text.ALPHABET)
    assert '"assert" statement' in corpus.topics["assert"]
    version = ".".join(map(str, sys.version_info[:3]))
    assert corpus.name == f"pydoc-topics-{version}"
    assert version in corpus.source
    assert list(corpus.topics) == sorted(corpus.topics)


def test_the_alphabet_has_each_character_once():
    assert len(text.ALPHABET) == len(set(text.ALPHABET)) == 96
    assert all(c.isprintable() or c == "\n" for c in text.ALPHABET)


def test_the_hash_is_that_of_the_whole_text(corpus):
    again = text.load(limit=5000)
    assert again.sha256 == corpus.sha256 == text.fingerprint(corpus.name)
    assert 5000 <= again.characters < corpus.characters
    assert again.topics.items() < corpus.topics.items()
    assert text.load(limit=90_000).topics.items() > again.topics.items()


def test_a_changed_text_has_another_hash(corpus, monkeypatch):
    module = sys.modules["pydoc_data.topics"]
    changed = {
        **module.topics,
        "assert": module.topics["assert"] + "\nOnce more, with another ending.\n",
    }
    monkeypatch.setattr(module, "topics", changed)
    assert text.fingerprint(corpus.name) not in (None, corpus.sha256)


def test_each_paragraph_stays_in_the_shortest_topic_that_has_it():
    topics = {"chapter": f"{LONG}\n\n{OTHER}\n\nMore.", "section": f"{LONG}\n"}
    assert text.unique(topics) == {"chapter": f"{OTHER}\n\nMore.\n", "section": f"{LONG}\n"}


def test_neither_white_space_nor_a_changed_reference_makes_a_paragraph_new():
    wrapped = LONG.replace(" ", "\n   ", 5)
    nearly = LONG + " See [1]."
    assert text.unique(
        {"a": LONG, "b": wrapped + "\n\nNew.", "c": nearly + "\n\nNewer, longer."}
    ) == {
        "a": LONG + "\n",
        "b": "New.\n",
        "c": "Newer, longer.\n",
    }
    half = LONG[:40] + OTHER[:60]  # shares no whole passage
    assert text.unique({"a": LONG, "b": half + "\n\n" + "x" * 50})["b"].startswith(half)


def test_a_topic_that_says_nothing_new_is_gone():
    assert list(text.unique({"a": LONG, "b": f"\n{LONG}\n\n"})) == ["a"]


@settings(max_examples=30)
@given(st.text(st.sampled_from("ab "), max_size=130), st.text(st.sampled_from("ab "), max_size=130))
def test_repeated_counts_passages(here, there):
    def passages(t: str) -> set[str]:
        words = " ".join(t.split())
        found = {words[i : i + 48] for i in range(len(words)) if len(words) >= i + 48}
        return found or ({words} - {""})

    a, b = passages(here), passages(there)
    expected = sum(p in b for p in a) / max(1, len(a))
    assert text.repeated([here], [there]) == pytest.approx(expected)


@pytest.mark.parametrize("seed", [1, 2])
def test_held_out_topics_do_not_stand_in_the_training_text(corpus, seed):
    def shared(topics):
        part = text.split(corpus, seed, 0.1, 0.2)
        return text.repeated([topics[n] for n in part.test], [topics[n] for n in part.train])

    assert shared(corpus.topics) < 0.02
    raw = sys.modules["pydoc_data.topics"].topics
    assert shared(raw) > 0.05  # which is what the care is for


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 400), min_size=12, max_size=30),
    st.integers(0, 999),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
)
def test_a_split_deals_whole_topics_within_their_shares(sizes, seed, validation, test):
    topics = {f"t{n}": "x" * size for n, size in enumerate(sizes)}
    corpus = text.Corpus("toy", topics, "made up", "0" * 64)
    try:
        part = text.split(corpus, seed, validation, test)
    except text.TextError as error:
        assert "short enough" in str(error)
        return
    assert sorted(part.train + part.validation + part.test) == sorted(topics)
    for names, share in ((part.validation, validation), (part.test, test)):
        assert sum(len(topics[n]) for n in names) <= share * corpus.characters
    backwards = text.Corpus("toy", dict(reversed(topics.items())), "made up", "0" * 64)
    assert text.split(backwards, seed, validation, test) == part


def test_splits_differ_and_fill_their_shares(corpus):
    first, second = (text.split(corpus, seed, 0.1, 0.2) for seed in (1, 2))
    assert set(first.test) != set(second.test)
    size = sum(len(corpus.topics[n]) for n in first.test)
    assert 0.19 * corpus.characters < size <= 0.2 * corpus.characters


@pytest.mark.parametrize("shares", [(0, 0.2), (0.2, 0), (0.5, 0.5), (-0.1, 0.2)])
def test_shares_must_leave_something(corpus, shares):
    with pytest.raises(text.TextError, match="shares above 0"):
        text.split(corpus, 0, *shares)


@given(st.text(st.sampled_from(text.ALPHABET), max_size=80))
def test_encoding_goes_there_and_back(sentence):
    numbers = text.encode(sentence)
    assert numbers.dtype == torch.int64
    assert text.decode(numbers) == sentence


def test_what_is_outside_the_alphabet_is_replaced_or_refused():
    assert text.plain("“naïve” – it’s…\t\r\n") == '"na?ve" - it\'s...    \n'
    with pytest.raises(text.TextError, match="'ï'"):
        text.encode("naïve")


def test_another_python_has_another_corpus(corpus, monkeypatch):
    """A record made elsewhere is neither fresh nor stale here: its text is not at hand."""
    assert records._current(corpus.name) == corpus.sha256
    assert text.knows("pydoc-topics-3.99.1")
    assert records._current("pydoc-topics-3.99.1") is None
    monkeypatch.setattr(text.platform, "python_version", lambda: "3.99.1")
    assert records._current(corpus.name) is None
    assert text.load(1000).name == "pydoc-topics-3.99.1"
    assert not text.knows("digits")


def test_a_python_without_its_help(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert text.fingerprint(corpus.name) is None
    with pytest.raises(text.TextError, match="standard library"):
        text.load()
