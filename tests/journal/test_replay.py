"""A recorded session runs again from its journal alone: the same messages, states and outputs (promise P24)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sessionactors import Agent, RunContext, function_tool
from sessionactors.actors.history import History
from sessionactors.cli.replay import Showing
from sessionactors.journal import recorder
from sessionactors.journal.code_hash import code_hash
from sessionactors.journal.errors import JournalDamaged
from sessionactors.journal.journal import Journal
from sessionactors.journal.plain import differences, plain
from sessionactors.journal.replay import NotReplayable, Replay
from sessionactors.messages.history import AppendItems
from sessionactors.runtime import Outbox
from sessionactors.session.drop_in import DropIn
from sessionactors.testing import Run, RunsPart, Scenario, from_journal

from tests.session.talks import one_turn, typed


@pytest.fixture(autouse=True)
def every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state is hashed, not some of them: these tests are about the first message that differs."""
    monkeypatch.setattr(recorder, "HASHED_EVERY", 0)


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Run]:
    """One spoken turn, as a journal."""
    path = tmp_path_factory.mktemp("call") / "a.journal"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "HASHED_EVERY", 0)
        run = recorded(path, one_turn)
    return path.read_bytes(), run


def recorded(path: Path, make: Callable[..., Scenario], seed: int | None = None, **options: object) -> Run:
    journal = Journal(path, overwrite=True)
    run = make(journal=journal, **options).play(seed)
    assert journal.wait_closed()
    return run


def calls_tools(**options: object) -> Scenario:
    """A tool that takes a second, and one that fails, while the user types."""

    class Helper(Agent):
        @function_tool
        async def weather(self, context: RunContext[object], city: str) -> str:
            """How the weather is."""
            await asyncio.sleep(1.0)
            return f"It rains in {city}."

        @function_tool
        async def broken(self) -> str:
            """Does not work."""
            raise ValueError("no")

    scenario = Scenario(Helper(instructions="Help."), audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("How is the weather in Graz?", at=0.5)
    scenario.llm_replies(tool_calls=[("weather", '{"city": "Graz"}')])
    scenario.llm_replies("It rains.")
    scenario.user_types("And the other one?", at=4.0)
    scenario.llm_replies(tool_calls=[("broken", "{}")])
    scenario.llm_replies("That does not work.")
    return scenario


def killed(actor: str) -> Callable[..., Scenario]:
    def make(**options: object) -> Scenario:
        scenario = typed(None, "How are you?", "And now?", **options)
        scenario.kill(actor, message=3)
        return scenario

    return make


@pytest.mark.parametrize("make, seed", [(one_turn, 7), (typed, None), (calls_tools, None), (calls_tools, 7)])
def test_p24_a_session_runs_again_message_by_message(
    make: Callable[..., Scenario], seed: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.journal"
    recorded(path, make, seed)
    replay = Replay(path)
    assert replay.run() is None, str(replay.divergence)
    assert replay.number == replay.messages > 20
    assert not replay.cut


@pytest.mark.parametrize("actor", ["floor", "history", "llm"])
def test_p24_what_was_killed_and_restarted_is_so_again(actor: str, tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    run = recorded(path, killed(actor))
    assert run.killed
    replay = Replay(path)
    assert replay.run() is None, str(replay.divergence)


class Echo(DropIn[int, object]):
    """Counts what is stored, and tells the agent's history nothing but the number of it."""

    name = "echo"
    subscribes = (AppendItems,)

    def initial(self) -> int:
        return 0

    def receive(self, state: int, message: object, out: Outbox[object]) -> int:
        out.timer("later", 0.2, "later")
        if message == "later":
            raise ValueError("the user's own actor breaks")
        return state + 1


def test_p24_actors_of_the_users_own_are_not_run_and_do_what_they_did(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    recorded(path, lambda **options: typed(None, "How are you?", **options), actors=[Echo()])
    replay = Replay(path)
    assert replay.run() is None, str(replay.divergence)


def test_a_changed_handler_is_reported_at_its_first_message(
    call: tuple[bytes, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay(call[0])
    first = replay.first(lambda replay: replay.moment is not None and replay.moment.type == "AppendItems")
    assert first is not None
    receive = History.receive

    def changed(self: History, state: object, message: object, out: Outbox[object]) -> object:
        state = receive(self, state, message, out)  # type: ignore[arg-type]
        if isinstance(message, AppendItems):
            out.log("changed")
        return state

    monkeypatch.setattr(History, "receive", changed)
    replay.rewind()
    divergence = replay.run()
    assert divergence is not None
    assert (divergence.number, divergence.actor) == (first.number, "scenario/history")
    assert f"the runs part at message {first.number}: scenario/history handles AppendItems" in str(divergence)
    assert "log" in divergence.now


def test_a_changed_state_is_reported_with_what_the_handler_made_of_it(
    call: tuple[bytes, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = History.receive

    def changed(self: History, state: object, message: object, out: Outbox[object]) -> object:
        state = receive(self, state, message, out)  # type: ignore[arg-type]
        return replace(state, version=state.version + 1) if isinstance(message, AppendItems) else state

    monkeypatch.setattr(History, "receive", changed)
    divergence = Replay(call[0]).run()
    assert divergence is not None
    assert "version: " in str(divergence)
    assert "hash" in divergence.recorded


def test_a_journal_that_is_cut_anywhere_runs_to_where_it_is_cut(call: tuple[bytes, Run]) -> None:
    data, _ = call
    numbers = []
    for share in (0.2, 0.6, 0.99):
        try:
            replay = Replay(data[: int(len(data) * share)])
        except JournalDamaged as error:
            assert "killed before the first flush" in str(error)  # noqa: PT017
            continue
        assert replay.run() is None
        numbers.append(replay.number)
        assert replay.number == replay.messages
    assert numbers == sorted(numbers)


def test_every_moment_can_be_gone_to_and_looked_at(call: tuple[bytes, Run]) -> None:
    data, run = call
    replay = Replay(data)
    half = replay.messages // 2
    replay.to(half)
    states, snapshot = plain(replay.states()), replay.inspect()
    replay.to(half + 100)
    assert list(differences(states, plain(replay.states())))
    replay.to(half)
    assert plain(replay.states()) == states
    assert replay.inspect().actors.keys() == snapshot.actors.keys()
    assert replay.moment is not None
    assert replay.moment.number == half
    with pytest.raises(ValueError, match="there is no message"):
        replay.to(replay.messages + 1)
    assert run.snapshot is not None
    live = {path: dict(actor.state) for path, actor in run.snapshot.items()}
    replay.to(replay.messages - 200)
    same = replay.first(lambda replay: {path: dict(actor.state) for path, actor in replay.inspect().items()} == live)
    assert same is not None  # what inspect() gave before the close is what it gives again
    assert "history" in str(replay.inspect())
    assert replay.state("history") is replay.states()["scenario/history"]


def test_what_is_no_journal_of_a_whole_session_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    recorded(path, typed)
    journal = Journal(tmp_path / "b.journal", transcripts=False)
    typed(journal=journal).play()
    assert journal.wait_closed()
    with pytest.raises(NotReplayable, match="texts were replaced"):
        Replay(tmp_path / "b.journal")
    with pytest.raises(JournalDamaged):
        Replay(b"RIFF no journal")
    with pytest.raises(FileNotFoundError):
        Replay(tmp_path / "none.journal")


def test_a_journal_of_other_code_of_this_version_says_so(
    call: tuple[bytes, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay(call[0])
    assert replay.header.code == code_hash() != ""
    assert not replay.other_code
    assert "other code" not in "".join(Showing(replay, as_json=False).all())
    monkeypatch.setattr(recorder, "code_hash", lambda: "0123456789abcdef")
    recorded(tmp_path / "other.journal", lambda **options: typed(None, "How are you?", **options))
    other = Replay(tmp_path / "other.journal")
    assert other.other_code
    _, said, same = Showing(other, as_json=False).all()
    assert said.startswith("recorded by other code of the same version (0123456789abcdef, here ")
    assert "the same again" in same


def test_a_header_of_before_says_nothing_of_its_code(call: tuple[bytes, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(call[0])
    monkeypatch.setattr(replay._again, "header", replace(replay.header, code=""))
    assert not replay.other_code


def test_a_journal_becomes_a_test(call: tuple[bytes, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    replay = from_journal(call[0])
    assert replay.number == 0
    assert replay.first(lambda replay: replay.facts("floor").get("current") == "speech-1") is not None
    assert replay.facts("nobody") == {}
    receive = History.receive

    def changed(self: History, state: object, message: object, out: Outbox[object]) -> object:
        out.log("changed")
        return receive(self, state, message, out)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "receive", changed)
    with pytest.raises(RunsPart, match="scenario/history handles") as raised:
        from_journal(call[0])
    assert isinstance(raised.value, AssertionError)
    assert raised.value.divergence.actor == "scenario/history"
