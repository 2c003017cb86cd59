"""Eval files: what they may say, and how what is wrong with one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionactors.evals.reading import EvalFileError, read_evals


def told(folder: Path, text: str) -> list[str]:
    path = folder / "e.yaml"
    path.write_text(text)
    with pytest.raises(EvalFileError) as error:
        read_evals(path)
    return [line.removeprefix(f"{path}:") for line in str(error.value).splitlines()]


START = "agent: a.py\nconversations:\n  - name: c\n    steps:\n"


@pytest.mark.parametrize(
    "steps, problem",
    [
        (
            "      - sai: hi\n",
            "5: conversations 1, steps 1, sai: there is no key 'sai' here; did you mean 'say'? There ",
        ),
        (
            "      - say: hi\n        tipe: x\n",
            "6: conversations 1, steps 1, tipe: there is no key 'tipe' here; did you",
        ),
        (
            "      - say: hi\n        expect: {}\n",
            "6: conversations 1, steps 1, expect: expects nothing: it would pass",
        ),
        (
            "      - {say: hi, type: ho}\n",
            "5: conversations 1, steps 1: does 2 things (say, type): make a step of each",
        ),
        ("      - {}\n", "5: conversations 1, steps 1: does nothing and expects nothing: give it say, type, press, "),
        ("      - {type: hi, takes: 2}\n", "5: conversations 1, steps 1: hears and takes are about what is said"),
        ("      - {say: hi, after: 2}\n", "5: conversations 1, steps 1: at word and after are about a barge in"),
        ("      - {barge in: x, after: 2, at word: y}\n", "5: conversations 1, steps 1: barge in at a word, or after"),
        (
            "      - {wait: -1}\n",
            "5: conversations 1, steps 1, wait: input should be greater than or equal to 0, got -1",
        ),
        (
            "      - {wait: long}\n",
            "5: conversations 1, steps 1, wait: input should be a valid number, unable to parse",
        ),
        (
            "      - {press: A}\n",
            "5: conversations 1, steps 1, press: string should match pattern '^[0-9*#]$', got 'A'",
        ),
        (
            "      - {expect: {within: {llmm: 1}}}\n",
            "5: conversations 1, steps 1, expect, within: 'llmm' is no part of a",
        ),
        (
            "      - {expect: {text: {matches: '('}}}\n",
            "5: conversations 1, steps 1, expect, text, matches: '(' is no ",
        ),
        (
            "      - {expect: {state: {agent: sad}}}\n",
            "5: conversations 1, steps 1, expect, state, agent: input should be",
        ),
        ("      - {say: hi}\n", "3: conversations 1: expects nothing in any step: it would pass whatever happened"),
        (
            "      - {say: hi, expect: {text: a}}\n      - {barge in: b, expect: {text: c}}\n",
            "3: conversations 1: a step that is barged into can expect calls, not called, within and agent; text is ",
        ),
        (
            "      - {say: hi, expect: {judge: be kind}}\n",
            "1: the file: 'c' expects a judge's verdict, and there is no ",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_key(tmp_path: Path, steps: str, problem: str) -> None:
    lines = told(tmp_path, START + steps)
    assert len(lines) == 1
    assert lines[0].startswith(problem)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    lines = told(tmp_path, "agent: a.py\nconversations:\n  - steps: []\n  - name: b\n    steps:\n      - {wait: x}\n")
    assert [line.partition(":")[0] for line in lines] == ["3", "3", "6"]


@pytest.mark.parametrize(
    "text, problem",
    [
        ("agent: a.py\nconversations: []\n", "2: conversations: tuple should have at least 1 item"),
        ("agent: a.py\n", "1: the file: 'conversations' is missing"),
        ("- a\n", "1: must be keys and values"),
        ("", "1: must be keys and values"),
        ("agent: a.py\nconversations: [\n", "3: is not YAML: while parsing a flow node"),
        ("agent: a.py\nagent: b.py\n", "2: is not YAML: while constructing a mapping found duplicate key"),
        ("agent: !!python/object/apply:os.system [ls]\n", "1: is not YAML: could not determine a constructor"),
    ],
)
def test_a_file_without_conversations_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert told(tmp_path, text)[0].casefold().startswith(problem.casefold())


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvalFileError, match=r"nothing\.yaml: cannot be read: No such file"):
        read_evals(tmp_path / "nothing.yaml")


def test_aliases_that_mean_millions_of_parts_or_have_no_end_are_refused(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 8))
    assert told(tmp_path, f"l0: &l0 [a]\n{levels}")[0].endswith(
        "has more than 50000 parts: make it simpler, or several files"
    )
    assert "is deeper than 20 levels" in told(tmp_path, "a: &a {b: *a}\n")[0]


def test_two_conversations_of_one_name_are_an_error(tmp_path: Path) -> None:
    one = "  - {name: c, steps: [{type: a, expect: {text: b}}]}\n"
    assert told(tmp_path, f"agent: a.py\nconversations:\n{one}{one}")[0].endswith("have the same name: c")


def test_words_that_older_yaml_reads_as_something_else_are_words(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(START + "      - say: no\n        expect: {text: 'yes', not-called: on}\n")
    step = read_evals(path).file.conversations[0].steps[0]
    assert step.say == "no"
    assert step.expect is not None
    assert step.expect.not_called == ("on",)
