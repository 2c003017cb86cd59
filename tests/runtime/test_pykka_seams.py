"""The names of Pykka that we rely on, public and private: an upgrade that moves one fails here, loudly."""

from __future__ import annotations

import inspect
import re
import threading
from pathlib import Path
from typing import Any, Final

import pykka
import pytest
from pykka._actor import Actor
from pykka._envelope import Envelope
from pykka._future import Future
from pykka._ref import ActorRef

from sessionactors.runtime import ActorSystem
from sessionactors.runtime.envelope import Envelope as OurEnvelope
from sessionactors.runtime.pykka_seams import Inbox, PykkaCell

from tests.runtime.scripted import Scripted, spawn

ROOT: Final = Path(__file__).parents[2]


def test_the_version_is_the_one_we_looked_at() -> None:
    from importlib.metadata import version

    major, minor = map(int, version("pykka").split(".")[:2])
    assert (major, minor) >= (4, 5)
    assert major < 5


@pytest.mark.parametrize(
    "function, parameters",
    [
        (Actor._create_actor_inbox, []),
        (Actor._create_future, []),
        (Actor._start_actor_loop, ["self"]),
        (Actor._handle_receive, ["self", "message"]),
        (Actor.__init__, ["self", "_args", "_kwargs"]),
        (Actor.start, ["args", "kwargs"]),
        (ActorRef.__init__, ["self", "actor"]),
        (ActorRef.tell, ["self", "message"]),
        (ActorRef.ask, ["self", "message", "block", "timeout"]),
        (ActorRef.stop, ["self", "block", "timeout"]),
        (ActorRef.is_alive, ["self"]),
        (ActorRef.proxy, ["self"]),
        (Envelope.__init__, ["self", "message", "reply_to"]),
        (Future.__init__, ["self"]),
        (Future.get, ["self", "timeout"]),
        (Future.set, ["self", "value"]),
        (Future.set_exception, ["self", "exc_info"]),
        (Future.set_get_hook, ["self", "func"]),
        (Future.__await__, ["self"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_seam_is_where_it_was(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


def test_what_stock_code_reads_of_a_ref_is_what_ours_has() -> None:
    class Stock(pykka.ThreadingActor):
        pass

    stock = Stock.start()
    names = set(vars(stock))
    stock.stop(timeout=5.0)
    assert names == {"_actor_weakref", "actor_class", "actor_urn", "actor_inbox", "actor_stopped"}


def test_what_a_future_keeps_is_what_ours_gives_defaults_for() -> None:
    assert set(vars(pykka.Future())) == {"_get_hook", "_get_hook_result"}


def test_an_envelope_has_two_slots_and_ours_fills_them() -> None:
    assert list(Envelope.__slots__) == ["message", "reply_to"]
    assert issubclass(OurEnvelope, Envelope)


def test_an_inbox_is_put_get_and_empty() -> None:
    from pykka._actor import ActorInbox

    names = {name for name in vars(ActorInbox) if not name.startswith("_")}
    assert names == {"put", "get", "empty"} <= {name for name in vars(Inbox) if not name.startswith("_")}


async def test_what_is_no_seam_of_a_cell_says_what_to_use_instead(system: ActorSystem) -> None:
    cell = (await spawn(system, "room", Scripted)).cell
    for call, instead in (
        (PykkaCell._create_actor_inbox, "ActorSystem.spawn"),
        (PykkaCell.start, "ActorSystem.spawn"),
        (cell._start_actor_loop, "dispatcher of their actor system"),
        (lambda: cell._handle_receive("message"), "envelopes, not bare messages"),
        (cell.actor_inbox.get, "nobody may block on it"),
    ):
        with pytest.raises(TypeError, match=re.escape(instead)):
            call()
    with pytest.raises(NotImplementedError):
        PykkaCell.put_foreign(cell, None)
    assert isinstance(cell._create_future(), pykka.Future)


def test_only_one_file_goes_around_what_is_no_seam() -> None:
    """`super().__init__()` of Pykka's actor, and its registry, are by-passed in `pykka_seams.py` alone."""
    runtime = ROOT / "src" / "sessionactors" / "runtime"
    private = re.compile(r"pykka\._(?!actor\.ActorInbox|envelope\b)|ActorRegistry")
    found = {path.name for path in runtime.glob("*.py") if private.search(path.read_text())}
    assert found <= {"pykka_seams.py"}


def test_each_deviation_named_in_the_docs_has_its_test() -> None:
    page = (ROOT / "docs" / "pykka.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    missing = {name for name in named if not re.search(rf"def {name}\(", tests)}
    assert len(named) > 20
    assert missing == set()


def test_the_hazards_come_in_pairs() -> None:
    source = (Path(__file__).parent / "test_pykka_hazards.py").read_text()
    tests = re.findall(r"def (test_\w+)\(", source)
    stock = [name.startswith("test_stock_") for name in tests]
    assert stock == [True, False] * (len(tests) // 2)
    assert threading.active_count() >= 1
