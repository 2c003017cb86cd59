"""The tables of the surface and of the fragilities follow the code."""

from __future__ import annotations

import pytest

from docs.surface_table import Row, exists, page


@pytest.mark.parametrize(
    "name",
    [
        "AgentSession.say",
        "AgentSession.say(audio=)",
        "AgentSession(stt=)",
        "AgentSession.usage",
        "ChatMessage.role",
        "ComponentError.label",
        '"close"',
        "CloseReason:error",
        "model.events.AgentState:thinking",
        "turn_handling['endpointing']['min_delay']",
        "session.session_options.AgentSessionOptions.endpointing",
    ],
)
def test_what_is_there_is_found(name: str) -> None:
    assert exists(name)


@pytest.mark.parametrize(
    "name",
    [
        "AgentSession.sing",
        "AgentSession.say(volume=)",
        "ChatMessage.colour",
        '"opened"',
        "CloseReason:boredom",
        "model.events.AgentState:dreaming",
        "turn_handling['endpointing']['patience']",
        "turn_handling['beginning']",
        "session.no_such_module.Anything",
    ],
)
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert not exists(name)


@pytest.mark.parametrize(
    "line, says",
    [
        ("say | AgentSession.sing | test_a |", "there is no AgentSession.sing"),
        ("say | AgentSession.say | test_b |", "there is no test test_b"),
        ("say | AgentSession.say | |", "no test pins it"),
        ("say | ?AgentSession.say | test_a |", "AgentSession.say is there now: take the mark away and name its test"),
        ("say | AgentSession.say | ?test_a |", "test_a is there now: take the mark away"),
        ("say | | | because", "nothing stands for it, and the note does not say whose it is"),
        (
            "say | AgentSession.say | test_silent |",
            "its tests stand in files that do not mention AgentSession.say: name one that pins it",
        ),
    ],
)
def test_a_row_that_is_not_true_is_told(line: str, says: str) -> None:
    assert list(Row.read(line).faults({"test_a": "say(text)", "test_silent": "sing()"})) == [f"say: {says}"]


def test_rows_become_a_table_under_their_heading() -> None:
    rows = (
        "# Title",
        "",
        "`say` | AgentSession.say | test_a | aloud",
        "`sing` | ?AgentSession.sing | |",
        "`fly` | | | cloud: up there",
    )
    text, faults, missing = page("\n".join(rows), {"test_a": "say(text)"})
    assert faults == []
    assert missing == 1
    assert text.splitlines()[2:] == [
        "| known from LiveKit | here | pinned by |",
        "|---|---|---|",
        "| `say` | `AgentSession.say` aloud | `test_a` |",
        "| `sing` | not yet |  |",
        "| `fly` | cloud: up there |  |",
    ]
