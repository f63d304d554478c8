"""The command that tests the tests, on a playbook of one line; and that its list is up to date."""

from __future__ import annotations

import pytest

from synthecon import Problem, mutate, paths

ENTRY = """
[[mutation]]
why = "{why}"
file = "core.py"
find = "{find}"
replace = "{replace}"
tests = ["tests/test_core.py"]
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A checkout whose test knows that double(2) is 4, and no more; returns its list's writer."""
    package = tmp_path / "src" / "synthecon"
    for folder in (package, tmp_path / "tests" / "mutations", tmp_path / "notebooks"):
        folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (package / "__init__.py").touch()
    (package / "core.py").write_text("def double(x):\n    return x + x\n")
    (tmp_path / "tests" / "test_core.py").write_text(
        "from synthecon import core\n\ndef test_two():\n    assert core.double(2) == 4\n"
    )
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))

    def write(*entries: tuple[str, str, str]) -> None:
        text = "".join(ENTRY.format(why=w, find=f, replace=r) for w, f, r in entries)
        (tmp_path / "tests" / "mutations" / "core.toml").write_text(text)

    write.root = tmp_path
    return write


def test_caught_survived_and_broken(small, capsys):
    small(
        ("wrong sum", "x + x", "x + 1"),
        ("same at two", "x + x", "x * x"),
        ("gone", "x - x", "x"),
        ("no Python", "x + x", "x +"),
    )
    assert mutate.main(["--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert "wrong sum: caught by test_two\n" in said
    assert "same at two: SURVIVED" in said
    assert "gone: BROKEN: gone: 'x - x' stands 0 times in core.py, not 1: adapt" in said
    assert "no Python: BROKEN: pytest broke off" in said
    assert "1 caught, 3 not" in said
    assert mutate.main(["wrong"]) == 0
    assert (small.root / "src" / "synthecon" / "core.py").read_text().endswith("x + x\n")


def test_tests_that_fail_anyway_prove_nothing(small):
    small(("wrong sum", "x + x", "x + 1"))
    test = small.root / "tests" / "test_core.py"
    test.write_text(test.read_text().replace("== 4", "== 5"))
    with pytest.raises(Problem, match="fail without a mutation: test_two"):
        mutate.main([])
    with pytest.raises(Problem, match="no mutation has sun"):
        mutate.main(["sun"])


@pytest.mark.parametrize("text", ["", "x", "[[mutation]]\nfile = 'core.py'\ntests = ['a']"])
def test_a_list_that_is_none(small, text):
    (small.root / "tests" / "mutations" / "core.toml").write_text(text)
    with pytest.raises(Problem, match=r"core\.toml is not a list"):
        mutate.main([])


def test_the_committed_list_still_fits_the_code_and_the_tests():
    listed = mutate.load(paths.root() / "tests" / "mutations")
    assert len({m.why for m in listed}) == len(listed) >= 25
    for m in listed:
        path = paths.root() / "src" / "synthecon" / m.file
        assert path.read_text(encoding="utf-8").count(m.find) == m.count, m.why
        assert m.find != m.replace, m.why
        for test in m.tests:
            file, _, name = test.partition("::")
            assert f"def {name}(" in (paths.root() / file).read_text(encoding="utf-8"), test
