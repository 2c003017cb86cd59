"""The commands against a service in a process of its own: what they show, what they do, what they say goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from sessionactors.cli.app import app
from sessionactors.cli.service_client import NoSuchThing, Service, ServiceNotThere, actor_path, room_path
from sessionactors.cli.service_options import printable
from sessionactors.service.http import whereabouts
from sessionactors.service.http.intervening import Killed

from tests.cli.conftest import LOOK, RunningService


@pytest.fixture
def room(service: RunningService, request: pytest.FixtureRequest) -> Iterator[str]:
    """A room of the test's own."""
    name = service.open(f"room-{abs(hash(request.node.name)) % 10**8}")
    yield name
    service.run("kill", name, "--deadline", "1")


def eventually(told: Callable[[], str], what: str, patience: float = 15.0) -> str:
    """The first answer that holds that; how long it takes is the machine's affair."""
    limit = time.monotonic() + patience
    while what not in (line := told()):
        assert time.monotonic() < limit, line
        time.sleep(0.05)
    return line


# -- looking ---------------------------------------------------------------------------------------------------------


def test_rooms_actors_and_what_blocks_them_are_shown(service: RunningService, room: str) -> None:
    listed = service.ask("ps")
    assert listed.splitlines()[0].split() == ["ROOM", "PHASE", "AGENT", "AGENT", "IS", "USER", "IS", "SPEECH", "ITEMS"]
    assert f"{room}  open" in listed
    assert "since the start" in listed
    assert "- llm  idle" in service.ask("tree", room)
    assert room in service.ask("tree")
    assert f"{room}/llm [idle] control 0, data 0" in service.ask("inspect", room)
    assert service.ask("inspect", room, "llm").startswith(f"{room}/llm [idle]")
    assert "nothing" in service.ask("why", room)
    assert service.ask("diagram", room, "--whole").startswith("sequenceDiagram")


def test_everything_is_json_for_programs(service: RunningService, room: str) -> None:
    def answer(*command: str) -> Any:
        return json.loads(service.ask(*command, "--json"))

    assert room in [one["room"] for one in answer("ps")["rooms"]]
    assert answer("tree", room)["room"] == answer("inspect", room)["room"] == room
    assert answer("inspect", room, "llm")["path"] == f"{room}/llm"
    assert {"text"} == set(answer("why", room)) == set(answer("diagram", room))
    assert answer("suspend", room, "llm") == {"actor": f"{room}/llm", "done": True}


def test_a_room_is_followed_until_it_is_over(service: RunningService) -> None:
    name = service.open("followed")
    lines: list[dict[str, Any]] = []

    async def follow() -> None:
        from sessionactors.cli.service_client import Service
        from sessionactors.cli.service_stream import follow

        def heard(line: str) -> None:
            lines.append(json.loads(line))
            if len(lines) == 1:  # it listens: now something may happen
                answer.append(asyncio.get_running_loop().run_in_executor(None, talk))

        def talk() -> None:
            service.post(f"/rooms/{name}/text", {"text": "Hi \x1b[2J", "wait": 5})
            service.ask("kill", name)

        answer: list[asyncio.Future[None]] = []
        await follow(Service(service.url, service.token), room_path(name, "events"), heard)
        await answer[0]

    asyncio.run(follow())
    assert [lines[0]["type"], lines[-1]["type"]] == ["state", "close"]
    assert any(line.get("item", {}).get("content") == ["At your service."] for line in lines)


def test_a_stream_that_is_refused_is_said(service: RunningService, room: str) -> None:
    assert service.run("tail", "nobody").exit_code == 5
    refused = service.run("tail", room, "--type", "Nonsense")
    assert (refused.exit_code, "no message type 'Nonsense'; there are:" in refused.output) == (1, True)


# -- a hand in it ----------------------------------------------------------------------------------------------------


def test_an_actor_is_held_stepped_given_a_message_and_let_go(service: RunningService, room: str) -> None:
    assert service.ask("suspend", room, "agent") == f"{room}/agent is suspended\n"
    said = service.ask(
        "inject", room, "agent", "UserTurnEnded", "turn=t-1", "transcript=Hi.", "participant=x", "typed=true"
    )
    assert said == f"UserTurnEnded is in the mailbox of {room}/agent\n"
    eventually(lambda: service.ask("why", room), f"{room}/agent is suspended; ")
    eventually(lambda: service.ask("tree", room), "- agent  suspended  1 wait, the oldest ")
    assert "data: UserTurnEnded #" in service.ask("inspect", room, "agent")
    assert service.ask("step", room, "agent") == f"{room}/agent has handled one message\n"
    assert service.ask("resume", room, "agent") == f"{room}/agent goes on\n"
    eventually(lambda: service.ask("inspect", room, "agent"), "handled UserTurnEnded #")


def test_an_actor_is_killed_and_starts_anew(service: RunningService, room: str) -> None:
    assert service.ask("kill", room, "llm", "--reason", "to see") == f"{room}/llm was killed\n"
    eventually(lambda: service.ask("inspect", room, "llm"), "restarts 1")
    assert str(Killed("to see")) in eventually(lambda: service.ask("inspect", room, "llm"), "last error")


def test_a_room_is_closed(service: RunningService) -> None:
    name = service.open("short")
    assert f"{name} is closed after " in service.ask("kill", name, "--deadline", "2")
    assert service.run("kill", name).exit_code == 5


def test_what_was_seen_of_a_room_is_recorded_and_can_be_read(service: RunningService, room: str) -> None:
    [file] = service.ask("record", room, "--reason", "somebody complained").splitlines()
    told = eventually(lambda: CliRunner().invoke(app, ["journal", file]).stdout, "the journal")
    assert "somebody complained" in told
    again = service.run("record", room)
    assert (again.exit_code, "within the last 10 s" in again.output) == (1, True)
    assert service.run("record", room, "file.journal").exit_code == 2


def test_every_mailbox_is_logged_at_a_signal(service: RunningService, room: str) -> None:
    os.kill(service.pid, signal.SIGUSR1)
    eventually(service.lines.read_text, "mailboxes ")
    assert f"actor={room}/llm" in eventually(service.lines.read_text, f"actor={room}/llm ")


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, code, what",
    [
        (["ps", "--url", "http://127.0.0.1:9"], 3, "no service at http://127.0.0.1:9: "),
        (["tail", "a", "--url", "http://127.0.0.1:9"], 3, "no service at http://127.0.0.1:9: "),
        (["ps", "--url", "desk"], 3, "'desk' is no URL of a service"),
        (["ps", "--token", "a wrong one"], 4, "the token is wrong; give one by --token or SESSIONACTORS_TOKEN"),
        (["suspend", "a", "llm", "--token", LOOK], 4, "the token has not the right to intervene"),
        (["why", "nobody"], 5, "no room named 'nobody'; there are: "),
        (["why", "../../etc/passwd"], 5, "no room can be named '../../etc/passwd'"),
        (["inspect", "a", "../llm"], 5, "no actor can be named '..'"),
        (["suspend", "a", ""], 5, "no actor can be named ''"),
        (["inject", "a", "llm", "X", "y"], 2, "'y' is no field: write name=value"),
        (["kill", "a", "--deadline", "-1"], 2, "Invalid value for '--deadline'"),
    ],
)
def test_what_goes_wrong_is_said_with_an_exit_code(
    service: RunningService, arguments: list[str], code: int, what: str
) -> None:
    result = service.run(*arguments)
    assert (result.exit_code, what in result.output) == (code, True), result.output
    assert "Traceback" not in result.output
    assert service.token not in result.output


def test_a_wrong_prefix_is_told_from_a_wrong_room(service: RunningService, room: str) -> None:
    result = service.run("ps", "--url", service.url.removesuffix("/sessions"))
    assert (result.exit_code, "has no rooms there: give the whole URL" in result.output) == (3, True)
    unknown = service.run("inspect", room, "nobody")
    assert (unknown.exit_code, "has no actor 'nobody'; there are: " in unknown.output) == (5, True)


def test_who_takes_the_connection_and_is_silent_is_told_from_who_is_not_there(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessionactors.transports.websocket.dialing.OPENED_WITHIN", 0.05)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        told = "took the connection and does not answer within "
        assert told in service.run("tail", "a", "--url", url).output
        with pytest.raises(ServiceNotThere, match=told):
            Service(url, None, 0.05).order("DELETE", "/rooms/a")


def test_names_are_no_paths() -> None:
    assert room_path("a b?c#d", "why") == "/rooms/a%20b%3Fc%23d/why"
    assert actor_path("a", "actors", "floor/speech-1", "step") == "/rooms/a/actors/floor/speech-1/step"
    for name in ("", ".", "..", "a/b"):
        with pytest.raises(NoSuchThing):
            room_path(name)


def test_what_people_say_does_nothing_to_a_terminal() -> None:
    assert printable("a\x1b[2J\n\u202eb\x07") == "a\\x1b[2J\n\\x202eb\\x07"


def test_names_are_completed_from_the_service(service: RunningService, room: str) -> None:
    def completed(line: str) -> str:
        environment = {
            **service.environment,
            "SESSIONACTORS_TOKEN": service.token,
            "_SESSIONACTORS_COMPLETE": "complete_bash",
            "COMP_WORDS": f"sessionactors {line}",
            "COMP_CWORD": str(len(f"sessionactors {line}".split()) - (not line.endswith(" "))),
        }
        return CliRunner().invoke(app, [], prog_name="sessionactors", env=environment).stdout

    assert room in completed(f"why {room[:6]}").split()
    assert "llm" in completed(f"suspend {room} l").split()
    assert completed("why room --url http://127.0.0.1:9 ").split() in ([], ["--token"])


# -- strangers -------------------------------------------------------------------------------------------------------


def connected(service: RunningService) -> socket.socket:
    at = httpx.URL(service.url)
    return socket.create_connection((at.host, at.port or 80), 10)


def test_p25_a_thousand_connections_that_say_nothing_keep_nobody_out(service: RunningService, room: str) -> None:
    dumb = [connected(service) for _ in range(1000)]
    try:
        for number, one in enumerate(dumb[:100]):
            one.sendall(b"GET /sessions/rooms HTTP/1.1\r\nX-Drip: 1\r\n" if number % 2 else b"P")
        assert f"{room}  open" in service.ask("ps")
        assert service.post(f"/rooms/{room}/text", {"text": "Hi", "wait": 5}).json()["said"] == ["At your service."]
    finally:
        for one in dumb:
            one.close()


@pytest.mark.parametrize(
    "sent, answered",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /sessions/rooms HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 401 "),
        (
            b"GET /sessions/rooms/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer @\r\n\r\n",
            b"HTTP/1.1 404 ",
        ),
        (b"POST /sessions/rooms HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 401 "),
        (
            b"POST /sessions/rooms HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer @\r\nContent-Length: 99999999\r\n\r\n",
            b"HTTP/1.1 413 ",
        ),
        (b"GET /sessions/rooms HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 400_000, b"HTTP/1.1 400 "),
    ],
)
def test_p25_what_is_no_request_or_too_much_is_refused(
    service: RunningService, room: str, sent: bytes, answered: bytes
) -> None:
    with connected(service) as stranger:
        stranger.sendall(sent.replace(b"@", service.token.encode()))
        assert stranger.recv(4096).startswith(answered)
    assert "- llm  idle" in service.ask("tree", room)


def test_p25_malformed_frames_end_their_stream_and_nothing_else(service: RunningService, room: str) -> None:
    with connected(service) as stranger:
        stranger.sendall(
            f"GET /sessions/rooms/{room}/events HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            f"Authorization: Bearer {service.token}\r\n\r\n".encode()
        )
        heard = stranger.recv(4096)
        assert heard.startswith(b"HTTP/1.1 101 ")
        while b'"state"' not in heard:
            heard += stranger.recv(4096)
        stranger.sendall(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")  # reserved bits, no mask, no length
        while more := stranger.recv(4096):
            heard += more
        assert b"\x88" in heard  # a frame that closes, with the reason
    assert "- llm  idle" in service.ask("tree", room)


def test_what_cannot_be_served_is_said(tmp_path: Path, service: RunningService) -> None:
    open_to_all = tmp_path / "tokens.json"
    open_to_all.write_text('{"everything-0123456789": ["look"]}')
    open_to_all.chmod(0o644)
    odd = tmp_path / "odd.json"
    odd.write_text('["everything-0123456789"]')
    odd.chmod(0o600)
    worker = tmp_path / "a_worker.py"
    worker.write_text("async def entrypoint(ctx): ...")
    taken = str(httpx.URL(service.url).port)
    module = "examples/fastapi_service.py"
    for arguments, what in (
        (["gone.py"], "NotLoaded: gone.py: there is no such file"),
        ([str(worker)], "which is for rooms of a LiveKit server"),
        ([module, "--tokens", str(open_to_all)], "holds tokens, and others may read it: chmod 600"),
        ([module, "--tokens", str(odd)], 'must hold {"token": ["look", "talk", "intervene"], ...}'),
        ([module, "--tokens", str(tmp_path / "none")], "cannot be read: No such file"),
        ([module, "--token", "short"], "a token has fewer than 16 characters"),
        ([module, "--port", taken], f"cannot listen at 127.0.0.1:{taken}: Address already in use"),
    ):
        result = service.run("serve", *arguments)
        assert (result.exit_code, what in result.output) == (1, True), result.output
        assert "everything-0123456789" not in result.output


# -- hung sessions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, named",
    [
        ("thread", "thread/tools has been running call-1 for "),
        ("provider", "provider/llm has been running "),
        ("handler", "handler/looping has been handling "),
        ("loop", "loop/tools has been running call-1 for "),
    ],
)
def test_a_hung_session_is_diagnosed_from_another_terminal(service: RunningService, name: str, named: str) -> None:
    service.open(name)
    service.post(f"/rooms/{name}/text", {"text": "Go"})
    try:
        began = time.monotonic()
        told = eventually(lambda: service.ask("why", name), named)
        if name in {"handler", "loop"}:
            told = eventually(lambda: service.ask("why", name), "hanging_rooms.py:")
        print(f"{name}: named after {time.monotonic() - began:.2f} s: {told.strip()}")
        assert named in told
        if name in {"thread", "loop"}:
            assert ", asked for by RunTool #" in told
        if name == "loop":  # the one that serves HTTP
            looked = service.run("why", name)
            assert f"process {service.pid} answered at http://127.0.0.1:" in looked.stderr
            assert "; it blocks the loop of user code for " in looked.stdout
            assert service.run("ps").exit_code == 0
            os.kill(service.pid, signal.SIGUSR1)
            eventually(service.lines.read_text, "actor=loop/tools ")
    finally:
        service.release.touch()
    try:
        eventually(lambda: service.run("kill", name, "--deadline", "0").output, "closed")
    finally:
        service.release.unlink()


# -- where services are ----------------------------------------------------------------------------------------------


def test_a_service_says_where_it_is_as_long_as_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert list(whereabouts.running()) == []
    said = whereabouts.announce("http://127.0.0.1:1", 1)
    assert said is not None
    assert list(whereabouts.running()) == [whereabouts.Whereabouts(os.getpid(), "http://127.0.0.1:1")]
    said.withdraw()
    assert list(whereabouts.running()) == []
    left = whereabouts.directory() / "1-1.json"  # of a process that was killed
    left.write_text('{"pid": 1, "inspection": "http://127.0.0.1:1"}')
    assert list(whereabouts.running()) == []
    assert not left.exists()


def test_a_directory_that_others_can_write_to_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    said = whereabouts.announce("http://127.0.0.1:1", 1)
    assert said is not None
    whereabouts.directory().chmod(0o777)
    assert list(whereabouts.running()) == []
    with pytest.raises(PermissionError, match="is not this user's alone"):
        whereabouts.announce("http://127.0.0.1:2", 2)
    said.withdraw()
