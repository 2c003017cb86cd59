"""Rooms over HTTP and WebSocket: what is answered, and to whom; what is refused, how, and that rooms do not notice."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sessionactors import (
    Agent,
    ChatMessage,
    ConversationItemAddedEvent,
    ErrorEvent,
    HttpOptions,
    OptionError,
    RoomSupervisor,
    function_tool,
)
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.service.http import impatient, inspection, intervening, streams
from sessionactors.service.http.gate import Allowance, Gate, Refused, is_loopback
from sessionactors.service.http.options import Right
from sessionactors.service.http.plain import plain
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

from tests.service.rooms import ANSWER, PROMPT, Bomb, Poison, Specs

LOOK, TALK, ALL = "look-only-0123456789", "talk-only-0123456789", "everything-0123456789"
assert inspection  # imported before a loop runs, as a program does that has its app in a module
TOKENS = {LOOK: ("look",), TALK: ("talk",), ALL: ("look", "talk", "intervene")}
Client = httpx.AsyncClient


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def service(
    specs: Callable[[str], Any] | None = None, *, client: str = "127.0.0.1", max_sessions: int = 8, **options: Any
) -> AsyncIterator[tuple[Client, RoomSupervisor, FastAPI]]:
    options = {"tokens": TOKENS, "inspection_port": None, **options}
    rooms = RoomSupervisor(specs or Specs(), http=HttpOptions(**options), max_sessions=max_sessions, drain_deadline=0.4)
    app = FastAPI(lifespan=rooms.lifespan)
    app.include_router(rooms.router, prefix="/sessions")
    async with rooms.lifespan(app):
        asked = httpx.ASGITransport(app=app, client=(client, 1))
        async with Client(transport=asked, base_url="http://desk/sessions", headers=bearer(ALL)) as http:
            yield http, rooms, app


async def until(there: Callable[[], object], http: Client, path: str) -> Any:
    """What is answered when that is so: messages from outside arrive by the actor loop."""
    async with asyncio.timeout(5.0):
        while not there():  # noqa: ASYNC110  another thread's doing
            await asyncio.sleep(0.001)
    return (await http.get(path)).json()


async def opened(http: Client, room: str = "a") -> None:
    answer = await http.post("/rooms", json={"room": room})
    assert answer.status_code == 201, answer.text


class Line:
    """A WebSocket, driven as a server drives an application."""

    def __init__(self, app: FastAPI, path: str, *, client: str = "127.0.0.1", **headers: str) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.given: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        path, _, query = path.partition("?")
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": f"/sessions{path}",
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "client": (client, 1),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.given.put_nowait({"type": "websocket.connect"})
        served: Any = app  # ASGI's own types are wider than ours
        self.task: asyncio.Future[None] = asyncio.ensure_future(served(scope, self.given.get, self.sent.put))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5.0):
            return await self.sent.get()

    async def line(self) -> dict[str, Any]:
        message = await self.next()
        assert message["type"] == "websocket.send", message
        line: dict[str, Any] = json.loads(message["text"])
        return line

    async def until(self, kind: str) -> dict[str, Any]:
        while (line := await self.line())["type"] != kind:
            pass
        return line

    async def refused(self) -> tuple[int, str]:
        start, body = await self.next(), await self.next()
        return start["status"], json.loads(body["body"])["detail"]

    def say(self, line: dict[str, Any]) -> None:
        self.given.put_nowait({"type": "websocket.receive", "text": json.dumps(line)})

    async def leave(self) -> None:
        self.given.put_nowait({"type": "websocket.disconnect", "code": 1001})
        async with asyncio.timeout(5.0):
            await self.task


# -- rooms -----------------------------------------------------------------------------------------------------------


async def test_a_room_is_opened_talked_to_looked_into_and_closed() -> None:
    async with service() as (http, rooms, _):
        await opened(http)
        listed = (await http.get("/rooms")).json()
        assert [(room["room"], room["phase"], room["agent_state"]) for room in listed["rooms"]] == [
            ("a", "open", "listening")
        ]
        assert (listed["stats"]["open"], listed["inspection"]) == (1, None)
        replied = (await http.post("/rooms/a/text", json={"text": "Anybody there?", "wait": 5})).json()
        assert replied == {"speech": "speech-1", "done": True, "interrupted": False, "said": [ANSWER]}
        body = {"text": "Welcome.", "allow_interruptions": False, "wait": 5}
        said = (await http.post("/rooms/a/say", json=body)).json()
        assert said["speech"] == "speech-2"
        items = (await http.get("/rooms/a/history")).json()["items"]
        assert [item["content"] for item in items if item["type"] == "message"][:2] == [["Anybody there?"], [ANSWER]]
        assert (await http.get("/rooms/a")).json()["messages"] >= 2
        assert "sequenceDiagram" in (await http.get("/rooms/a/diagram?whole=true")).json()["text"]
        assert "nothing" in (await http.get("/rooms/a/why")).json()["text"]
        closed = (await http.request("DELETE", "/rooms/a?deadline=1")).json()
        assert "a/agent" in closed["clean"]
        assert closed["abandoned"] == {}
        assert rooms.list() == ()


async def test_what_is_typed_cuts_off_what_may_be_and_waits_no_longer_than_said() -> None:
    slow = ScriptedLLM([ScriptedReply("One two three", hang=True, after=1)], otherwise=ScriptedReply(ANSWER))
    async with service(Specs(llm=lambda: slow)) as (http, *_):
        await opened(http)
        first = (await http.post("/rooms/a/text", json={"text": "Count!", "wait": 0.02})).json()
        assert first["done"] is False
        await until(lambda: slow.requests, http, "/rooms/a")  # else the second reply would be the slow one
        second = (await http.post("/rooms/a/text", json={"text": "Stop!", "wait": 5})).json()
        assert second["said"] == [ANSWER]


async def test_refusals_are_typed_and_touch_no_room() -> None:
    def specs(room: str) -> Any:
        if room == "broken":
            raise ValueError("secret password")
        return Specs()(room)

    async with service(specs, max_sessions=1) as (http, rooms, _):
        assert (await http.post("/rooms", json={"room": "broken"})).status_code == 502
        assert "password" not in (await http.post("/rooms", json={"room": "broken"})).text
        await opened(http)
        again = await http.post("/rooms", json={"room": "a"})
        full = await http.post("/rooms", json={"room": "b"})
        assert (again.status_code, full.status_code, full.json()["reason"]) == (409, 503, "full")
        assert full.headers["retry-after"] == "5"
        missing = await http.get("/rooms/b")
        assert (missing.status_code, missing.json()["detail"]) == (404, "no room named 'b'; there are: a")
        bodies: list[object] = [{"room": "../etc"}, {"room": ""}, {"room": "b", "more": 1}, {"room": 7}, [], "b"]
        for body in [*bodies, {"room": "x" * 200}]:
            assert (await http.post("/rooms", json=body)).status_code == 422
        texts: list[object] = [{"text": ""}, {"text": "x" * 10_001}, {"text": "x", "wait": 1e9}]
        for content in [*map(json.dumps, texts), '{"text": "x", "wait": NaN}']:
            assert (await http.post("/rooms/a/say", content=content)).status_code == 422
        assert (await http.post("/rooms/a/say", content=b"{")).status_code == 422
        voiceless = await http.get("/rooms/a/snapshot/voice")
        assert voiceless.status_code == 404
        assert "there are: a, a/agent" in voiceless.json()["detail"]
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "full")
        assert rooms.get("a").session.agent_state == "listening"


async def test_health_needs_no_token_and_tells_of_draining() -> None:
    async with service() as (http, rooms, _):
        http.headers.clear()
        assert (await http.get("/health")).json() == {"status": "ok", "loop_blocked": 0.0}
        assert (await http.get("/ready")).status_code == 200
        await rooms.drain()
        assert (await http.get("/ready")).json()["status"] == "draining"
        assert (await http.get("/health")).status_code == 200


async def test_a_crash_in_one_room_is_not_noticed_in_another_nor_in_another_supervisor() -> None:
    bombs: list[Bomb] = []

    def actors() -> tuple[Bomb, ...]:
        bombs.append(Bomb())
        return (bombs[-1],)

    async with service(Specs(actors=actors)) as (http, rooms, _), service() as (other, *_):
        await opened(http)
        await opened(http, "b")
        await opened(other)
        errors: list[ErrorEvent] = []
        rooms.get("b").session.on("error", errors.append)
        rooms.get("a").session.actor("bomb").tell(Poison(ValueError("boom")))
        for client, room in ((http, "b"), (other, "a"), (http, "a")):
            replied = (await client.post(f"/rooms/{room}/text", json={"text": "Hi", "wait": 5})).json()
            assert replied["said"] == [ANSWER]
        assert errors == []


# -- looking and stepping --------------------------------------------------------------------------------------------


async def test_an_actor_is_suspended_stepped_resumed_and_given_messages() -> None:
    async with service() as (http, rooms, _):
        await opened(http)

        async def order(what: str, actor: str = "agent") -> Any:
            return (await http.post(f"/rooms/a/actors/{actor}/{what}")).json()

        answered = asyncio.Event()

        def heard(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
                answered.set()

        rooms.get("a").session.on("conversation_item_added", heard)
        assert await order("suspend") == {"actor": "a/agent", "done": True}
        body = {
            "type": "UserTurnEnded",
            "fields": {"turn": "t-1", "transcript": "Hi.", "participant": "x", "typed": True},
        }
        assert (await http.post("/rooms/a/actors/agent/inject", json=body)).json()["done"] is True

        def waiting() -> list[str]:  # besides, perhaps, the end of a hook
            return [one.type for one in rooms.inspect("a")["agent"].data]

        held = await until(lambda: "UserTurnEnded" in waiting(), http, "/rooms/a/snapshot/agent")
        assert held["status"] == "suspended"
        assert "UserTurnEnded" in [one["type"] for one in held["data"]]
        assert "a/agent is suspended; " in (await http.get("/rooms/a/why")).json()["text"]
        while "UserTurnEnded" in waiting():
            assert await order("step") == {"actor": "a/agent", "done": True}
        assert await order("resume") == {"actor": "a/agent", "done": True}
        await answered.wait()
        session = rooms.get("a").session
        assert [message.text_content for message in session.history.messages()] == ["Hi.", ANSWER]


NOT_INJECTED: list[tuple[str, dict[str, object], str]] = [
    ("agent", {"type": "CloseSession", "fields": {}}, "no message type 'CloseSession'; those that can be injected"),
    ("llm", {"type": "SpeechStarted", "fields": {"at": 1}}, "a/llm takes no SpeechStarted; what can be injected"),
    ("output", {"type": "SilenceSpeech", "fields": {}}, "SilenceSpeech needs speech, scope, wanted_at"),
    ("agent", {"type": "UserTurnEnded", "fields": {"turns": 1}}, "UserTurnEnded has no field turns; it has: turn"),
    (
        "agent",
        {"type": "UserTurnEnded", "fields": {"turn": [], "transcript": "", "participant": ""}},
        "UserTurnEnded cannot be made of that: Input should be a valid string",
    ),
    (
        "output",
        {"type": "SilenceSpeech", "fields": {"speech": "s", "scope": 1, "wanted_at": 1, "decided_at": 1}},
        "SilenceSpeech.scope holds a live object",
    ),
]


async def test_what_cannot_be_injected_is_refused_in_words() -> None:
    async with service() as (http, rooms, _):
        await opened(http)
        for actor, body, told in NOT_INJECTED:
            answer = await http.post(f"/rooms/a/actors/{actor}/inject", json=body)
            assert (answer.status_code, told in answer.json()["detail"]) == (422, True), answer.text
        assert all(one.restarts == 0 for one in rooms.inspect("a").values())


async def test_a_blocked_actor_loop_is_looked_into_and_an_intervention_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with service() as (http, *_):
        await opened(http)
        monkeypatch.setattr(intervening, "INTERVENTION_WITHIN", 0.0)
        answer = await http.post("/rooms/a/actors/llm/suspend")
        assert answer.status_code == 409
        assert "suspend of a/llm was asked for, and not carried out within 0.0 s" in answer.json()["detail"]
        await http.post("/rooms/a/actors/llm/resume")


@pytest.mark.may_block(
    "the tool asks from the loop that serves, which runs nothing else meanwhile", in_functions=["look"]
)
async def test_the_inspection_endpoint_answers_while_the_loop_that_serves_is_blocked() -> None:
    def look(address: str | None) -> list[Any]:
        with httpx.Client(verify=False, headers=bearer(LOOK), base_url=f"{address}/rooms/a") as client:
            return [
                client.get("/why").status_code,
                client.get("/snapshot/tools").json()["effects"],
                client.get("/why", headers={"authorization": "Bearer wrong"}).status_code,
                client.post("/say", json={"text": "x"}).status_code,
            ]

    seen: list[Any] = []

    @function_tool
    async def block() -> str:
        """Block the loop of this service."""
        seen.extend(look(rooms.inspection))
        return "done"

    model = ScriptedLLM([ScriptedReply(tool_calls=(FunctionToolCall("1", "block", "{}"),))], otherwise=PROMPT)
    specs = Specs(agent=lambda: Agent(instructions="Be brief.", tools=[block]), llm=lambda: model)
    async with service(specs, inspection_port=0) as (http, rooms, _):
        await opened(http)
        assert (await http.get("/rooms")).json()["inspection"] == rooms.inspection
        await http.post("/rooms/a/text", json={"text": "Go", "wait": 5})
    why, effects, wrong, say = seen
    assert why == 200
    assert [effect["ending"] for effect in effects] == [False]  # the call that blocks
    assert (wrong, say) == (401, 404)  # it only looks
    assert rooms.inspection is None


@pytest.mark.may_block("the tool blocks the loop of everybody", in_functions=["block"])
async def test_a_tool_that_blocks_the_actor_loop_is_named_with_its_line() -> None:
    told = ""

    @function_tool
    async def block() -> str:
        """Block the loop of this process."""
        nonlocal told
        limit = time.monotonic() + 20.0
        with ThreadPoolExecutor(1) as elsewhere:
            while "; it blocks the actor loop for " not in told and time.monotonic() < limit:
                time.sleep(0.02)
                told = elsewhere.submit(rooms.get("a").session.why).result()
        return "done"

    model = ScriptedLLM([ScriptedReply(tool_calls=(FunctionToolCall("call-1", "block", "{}"),))], otherwise=PROMPT)
    specs = Specs(agent=lambda: Agent(instructions="Be brief.", tools=[block]), llm=lambda: model)
    async with RoomSupervisor(specs, system="running") as rooms:
        _ = await (await rooms.spawn("a")).session.generate_reply(user_input="Go")
    assert re.fullmatch(
        r"a/tools has been running call-1 for [\d.]+ s, asked for by RunTool #\d+; it blocks the actor loop "
        r"for [\d.]+ s, at \S+test_http\.py:\d+ in \S+\.<locals>\.block.*",
        told,
    )


async def test_an_inspection_port_that_is_taken_is_an_error_that_says_so() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(OptionError, match=rf"cannot listen at 127.0.0.1:{port}: .*; give another inspection_port"):
            async with service(inspection_port=port):
                pytest.fail("it listens twice")
    finally:
        server.close()


async def test_p25_connections_that_say_nothing_keep_nobody_out_and_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impatient, "REQUEST_WITHIN", 0.3)
    async with service(inspection_port=0) as (_, rooms, _app):
        await rooms.spawn("a")
        address = httpx.URL(rooms.inspection or "")
        dumb = [await asyncio.open_connection(address.host, address.port) for _ in range(100)]
        dumb[0][1].write(b"GET /rooms HTTP/1.1\r\nX-Drip: 1\r\n")  # and never the end
        async with Client(verify=False, headers=bearer(LOOK)) as client:
            assert (await client.get(f"{rooms.inspection}/rooms/a")).status_code == 200
        async with asyncio.timeout(5.0):
            assert [await reader.read() for reader, _ in dumb] == [b""] * 100
        for _, writer in dumb:
            writer.close()


async def test_p25_nothing_that_is_sent_is_a_fault_of_ours() -> None:
    seeded = random.Random(7)
    junk: list[object] = [None, True, -1, 1e308, "", "../../etc/passwd", "<script>", "\x00", "x" * 5000, [], {}, [[]]]
    names = ("room", "text", "type", "fields", "wait", "allow_interruptions", "add_to_chat_ctx", "nothing")

    async with service(burst=10_000) as (http, rooms, app):
        await opened(http)
        routes = [(method, path) for path, one in app.openapi()["paths"].items() for method in one]
        for _ in range(80):
            method, path = seeded.choice(routes)
            where = path.removeprefix("/sessions").replace("{room}", seeded.choice(("a", "b", "%2e%2e", "%00")))
            where = where.replace("{actor}", seeded.choice(("llm", "a/llm", "..", "%2f", "x" * 300)))
            if method == "delete" and "/a" in where:
                continue  # the room is to be there at the end
            body = {seeded.choice(names): seeded.choice(junk) for _ in range(seeded.randrange(4))}
            query = {seeded.choice(("deadline", "whole", "x")): str(seeded.choice(junk))[:100]}
            answer = await http.request(method, where, json=seeded.choice([body, seeded.choice(junk)]), params=query)
            assert answer.status_code < 500, (method, where, body, answer.text)
            assert answer.headers["content-type"] == "application/json"
        for actor in rooms.inspect("a"):
            await http.post(f"/rooms/a/actors/{actor}/resume")
        replied = await http.post("/rooms/a/text", json={"text": "<script>alert(1)</script>", "wait": 5})
        assert replied.json()["said"] == [ANSWER]


# -- streams ---------------------------------------------------------------------------------------------------------


async def test_events_come_as_they_happen_until_the_room_is_over() -> None:
    async with service() as (http, _, app):
        await opened(http)
        line = Line(app, "/rooms/a/events", **bearer(LOOK))
        assert (await line.next())["type"] == "websocket.accept"
        assert await line.line() == {"type": "state", "agent_state": "listening", "user_state": "listening"}
        await http.post("/rooms/a/text", json={"text": "Hi", "wait": 5})
        lines = [await line.line()]
        while lines[-1].get("item", {}).get("role") != "assistant":
            lines.append(await line.line())
        said = [one["item"]["content"] for one in lines if one.get("item", {}).get("type") == "message"]
        assert said == [["Hi"], [ANSWER]]
        assert [one["speech_handle"] for one in lines if one["type"] == "speech_created"] == ["<SpeechHandle>"]
        await http.request("DELETE", "/rooms/a")
        assert (await line.until("close"))["reason"] == "user_initiated"
        assert (await line.next())["type"] == "websocket.close"
        await line.leave()


async def test_messages_are_tapped_by_type_and_what_was_said_can_be_left_out() -> None:
    async with service(redact=True) as (http, _, app):
        await opened(http)
        tap = Line(app, "/rooms/a/tap?types=TextDelta,FloorGranted", **bearer(LOOK))
        events = Line(app, "/rooms/a/events", sec_websocket_protocol=f"sessionactors.v1, bearer.{LOOK}")
        assert (await events.next())["subprotocol"] == "sessionactors.v1"
        assert (await tap.next())["subprotocol"] is None
        await http.post("/rooms/a/text", json={"text": "Hi", "wait": 5})
        kinds = {(await tap.line())["message"] for _ in range(2)}
        assert kinds == {"TextDelta", "FloorGranted"}
        while (added := await events.until("conversation_item_added"))["item"]["type"] != "message":
            pass
        assert added["item"]["content"] == "<redacted>"
        assert ANSWER not in (await http.get("/rooms/a/history")).text
        await tap.leave()
        await events.leave()


async def test_who_reads_too_slowly_is_told_what_was_lost_and_who_sends_too_much_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "WAITING", 2)
    async with service() as (http, rooms, app):
        await opened(http)
        await http.post("/rooms/a/text", json={"text": "Hi", "wait": 5})
        await rooms.get("a").session.wait_for_idle()
        line = Line(app, "/rooms/a/events", **bearer(LOOK))
        await line.next()
        await line.line()
        session = rooms.get("a").session
        for number in range(5):
            session.emit("error", ErrorEvent(ValueError(str(number)), "test", recoverable=True, created_at=0.0))
        assert await line.line() == {"type": "dropped", "count": 3}
        assert (await line.line())["error"] == "ValueError: 3"
        await line.line()
        for _ in range(streams.MOST_SENT):
            line.given.put_nowait({"type": "websocket.receive", "text": "x"})
        assert (await line.next())["code"] == 1008
        await line.task


NOT_STREAMED: list[tuple[str, dict[str, str], int, str]] = [
    ("/rooms/a/events", {}, 401, "a token is needed"),
    ("/rooms/a/events", bearer(TALK), 403, "has not the right to look"),
    ("/rooms/a/events", {**bearer(LOOK), "origin": "https://evil.example"}, 403, "may open no WebSocket here"),
    ("/rooms/b/events", bearer(LOOK), 404, "no room named 'b'"),
    ("/rooms/a/tap?types=Nothing", bearer(LOOK), 422, "no message type 'Nothing'; there are: "),
]


async def test_a_stream_is_refused_in_words() -> None:
    async with service() as (http, _, app):
        await opened(http)
        for path, headers, status, told in NOT_STREAMED:
            line = Line(app, path, **headers)
            code, detail = await line.refused()
            assert (code, told in detail) == (status, True), detail
            await line.task


async def test_only_so_many_streams_are_open() -> None:
    async with service(max_streams=1) as (http, _, app):
        await opened(http)
        first = Line(app, "/rooms/a/events", **bearer(LOOK))
        await first.next()
        assert (await Line(app, "/rooms/a/tap", **bearer(LOOK)).refused())[0] == 429
        await first.leave()
        third = Line(app, "/rooms/a/tap", **bearer(LOOK))
        assert (await third.next())["type"] == "websocket.accept"
        await third.leave()


async def test_a_call_by_websocket_is_a_room_of_its_own() -> None:
    async with service() as (_, rooms, app):
        line = Line(app, "/calls", **bearer(TALK))
        assert (await line.next())["type"] == "websocket.accept"
        line.say({"type": "hello", "version": 1, "identity": "ada", "room": "c"})
        assert (await line.until("ready"))["room"] == "c"
        line.say({"type": "text", "text": "Hi"})
        while (shown := await line.until("transcript"))["participant"] != "agent":
            pass
        assert shown["text"] in ANSWER
        assert [handle.room for handle in rooms.list()] == ["c"]
        await line.leave()
        assert (await Line(app, "/calls", **bearer(LOOK)).refused())[0] == 403


# -- the gate --------------------------------------------------------------------------------------------------------


async def test_p25_each_route_needs_its_right() -> None:
    rights_of = {"": (), "not-one-of-ours": (), LOOK: ("look",), TALK: ("talk",)}
    async with service(burst=1000) as (http, rooms, app):
        await opened(http)
        needed = {
            (method, path): route["x-right"]
            for path, routes in app.openapi()["paths"].items()
            for method, route in routes.items()
            if "x-right" in route
        }
        assert len(needed) == 17
        schemas = app.openapi()["components"]["schemas"]
        assert "detail" in schemas["Problem"]["properties"]  # what the refusals of all routes refer to
        for token, rights in rights_of.items():
            http.headers.clear()
            http.headers.update(bearer(token) if token else {})
            for (method, path), right in needed.items():
                where = path.removeprefix("/sessions").format(room="a", actor="llm")
                answer = await http.request(method, where, json={})
                assert (answer.status_code in (401, 403)) is (right not in rights), (method, path, answer.text)
                if right not in rights:
                    assert answer.status_code == (403 if rights else 401)
                    assert not token or token not in answer.text
                elif method == "delete":
                    await rooms.spawn("a")
        assert "a" in {handle.room for handle in rooms.list()}


async def test_p25_without_tokens_and_from_elsewhere_nobody_is_let_in() -> None:
    async with service(tokens={}) as (http, *_):
        closed = await http.get("/rooms")
        assert (closed.status_code, "no token is configured" in closed.text) == (401, True)
        assert closed.headers["www-authenticate"] == "Bearer"
    async with service(client="10.0.0.7") as (http, *_):
        assert (await http.get("/rooms")).status_code == 403
        assert (await http.get("/health")).status_code == 403
    async with service(client="10.0.0.7", remote=True) as (http, *_):
        answer = await http.get("/rooms", headers={"origin": "https://evil.example"})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


async def test_p25_a_body_is_bounded_whatever_it_says_of_its_length() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    async with service(max_body=1000) as (http, *_):
        assert (await http.post("/rooms", content=b"x" * 1001)).status_code == 413
        assert (await http.post("/rooms", content=endless())).status_code == 413
        await opened(http)


async def test_p25_requests_are_counted_by_token_and_strangers_hurt_nobody_else() -> None:
    async with service(burst=2, requests_per_second=0.001) as (http, *_):
        strangers = [(await http.get("/rooms", headers=bearer("wrong"))).status_code for _ in range(3)]
        assert strangers == [401, 401, 429]
        known = [await http.get("/rooms") for _ in range(3)]
        assert [answer.status_code for answer in known] == [200, 200, 429]
        assert int(known[-1].headers["retry-after"]) > 100


def test_an_allowance_fills_up_again() -> None:
    allowance = Allowance(per_second=2.0, burst=2)
    assert [allowance.take(10.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert allowance.take(10.5) == 0.0
    assert [allowance.take(99.0) for _ in range(3)] == [0.0, 0.0, 0.5]


@pytest.mark.parametrize(
    "client, ours",
    [
        (None, True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.evil.example", False),
    ],
)
def test_which_addresses_are_this_machine(client: str | None, ours: bool) -> None:
    assert is_loopback(client) is ours


@pytest.mark.parametrize(
    "origin, let_in", [("http://desk", True), ("https://app", True), ("https://desk.evil", False), ("null", False)]
)
def test_pages_of_this_host_and_those_that_were_named_may_open_a_stream(origin: str, let_in: bool) -> None:
    gate = Gate(HttpOptions(origins=frozenset({"https://app"})))
    headers = {"origin": origin, "host": "desk"}
    if let_in:
        gate.check_origin(headers)
    else:
        with pytest.raises(Refused, match="may open no WebSocket here"):
            gate.check_origin(headers)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"tokens": {"short": ("look",)}}, "fewer than 16 characters: make one by"),
        ({"tokens": {LOOK: ("see",)}}, "no right 'see'; there are: look, talk, intervene"),
        ({"max_body": 0}, "max_body must be positive, got 0"),
        ({"burst": 0.5}, "burst must be positive"),
        ({"requests_per_second": 0.0}, "requests_per_second must be positive"),
        ({"inspection_port": 70_000}, "inspection_port must be a port"),
    ],
)
def test_options_that_cannot_be_are_refused_and_no_token_is_shown(options: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told) as refused:
        HttpOptions(**options)
    assert LOOK not in str(refused.value)
    assert LOOK not in repr(HttpOptions(tokens=TOKENS))


# -- the rest --------------------------------------------------------------------------------------------------------


async def test_requests_served_on_another_loop_are_carried_to_the_rooms() -> None:
    async with service() as (_, _rooms, app):

        async def elsewhere() -> list[int]:
            asked = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
            async with Client(transport=asked, base_url="http://desk/sessions", headers=bearer(ALL)) as http:
                return [
                    (await http.post("/rooms", json={"room": "a"})).status_code,
                    (await http.post("/rooms/a/text", json={"text": "Hi", "wait": 5})).status_code,
                    (await http.request("DELETE", "/rooms/a")).status_code,
                ]

        assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) == [201, 200, 200]


async def test_a_session_that_is_over_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    async with service() as (http, rooms, _):
        await opened(http)
        session = rooms.get("a").session
        await session.aclose()
        monkeypatch.setattr(rooms, "get", lambda _: type("Over", (), {"session": session}))
        answer = await http.post("/rooms/a/say", json={"text": "x"})
        assert (answer.status_code, "has been closed" in answer.text) == (409, True)


def test_values_are_plain_and_finite_and_name_what_is_alive() -> None:
    deep: list[Any] = []
    for _ in range(20):
        deep = [deep]
    assert plain(
        {"audio": b"123", "far": float("inf"), "error": ValueError("no"), "right": Right.LOOK, "x": object}
    ) == {
        "audio": "<3 bytes>",
        "far": "inf",
        "error": "ValueError: no",
        "right": "look",
        "x": "<type>",
    }
    assert json.dumps(plain(deep)).count("[") == 12
    assert len(plain(list(range(5000)))) == 1000  # type: ignore[arg-type]
    redacted = plain({"text": "secret", "content": ["secret"], "arguments": "", "id": "x"}, redact=True)
    assert redacted == {"text": "<6 characters>", "content": "<redacted>", "arguments": "", "id": "x"}
