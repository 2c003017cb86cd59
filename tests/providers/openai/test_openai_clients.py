"""One provider object, many loops and rooms: where clients live, what is reused, what is left behind."""

from __future__ import annotations

import asyncio
import threading

import openai as sdk
import pytest

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import ChatChunk
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.providers.openai import LLM

from tests.providers.openai.asking import answer, text_of, until
from tests.wire.openai_server import Completion, OpenAIServer


async def test_each_loop_has_its_own_client() -> None:
    async with OpenAIServer(["here", "there", "here again"]) as server:
        llm = LLM(base_url=server.base_url)
        await answer(llm)
        there: list[ChatChunk] = []

        async def elsewhere() -> None:
            there.extend(await answer(llm))
            await llm.aclose()  # its own client, and the other one on its loop

        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        thread.start()
        await until(lambda: not thread.is_alive())
        assert [chunk.content for chunk in there if chunk.content] == ["there "]
        assert [chunk.content for chunk in await answer(llm) if chunk.content] == ["here ", "again "]
        await llm.aclose()
        await llm.aclose()


async def test_clients_are_closed_on_their_own_loops() -> None:
    async with OpenAIServer(["here", "again"]) as server:
        llm = LLM(base_url=server.base_url)
        other = asyncio.new_event_loop()
        thread = threading.Thread(target=other.run_forever)
        thread.start()
        try:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(llm), other))
            await llm.aclose()
        finally:
            other.call_soon_threadsafe(other.stop)
            await until(lambda: not thread.is_alive())
            await asyncio.to_thread(other.run_until_complete, other.shutdown_default_executor())
            other.close()
        # It can be used again.
        assert await answer(llm)
        await llm.aclose()


async def test_replies_one_after_the_other_use_one_connection() -> None:
    async with OpenAIServer(otherwise=Completion("Hello.")) as server:
        llm = LLM(base_url=server.base_url)
        for _ in range(5):
            await answer(llm)
        await llm.aclose()
        assert len(server.asked) == 5
        assert len(server.connections) == 1


async def test_prewarming_opens_the_connection_of_the_first_reply() -> None:
    async with OpenAIServer(["Hello."]) as server:
        llm = LLM(base_url=server.base_url)
        llm.prewarm()
        llm.prewarm()
        await until(lambda: server.pinged)
        await asyncio.sleep(0.01)
        await answer(llm)
        await llm.aclose()
        assert server.pinged == 1
        assert len(server.connections) == 1


async def test_prewarming_that_fails_says_nothing_and_closing_ends_it() -> None:
    async with OpenAIServer() as server:
        pass
    gone, hanging = LLM(base_url=server.base_url), LLM(base_url="http://127.0.0.2:9/v1")
    gone.prewarm()
    hanging.prewarm()
    await asyncio.sleep(0.01)
    await gone.aclose()
    await hanging.aclose()


def test_prewarming_without_a_loop_does_nothing() -> None:
    LLM(base_url="http://localhost/v1").prewarm()


async def test_a_client_of_the_users_lives_where_the_user_does() -> None:
    async with OpenAIServer([Completion(status=500)], otherwise=Completion("Hello.")) as server:
        client = sdk.AsyncOpenAI(api_key="mine", base_url=server.base_url)
        llm = LLM(client=client)
        assert llm.home is Home.USER
        assert llm.provider == server.base_url.removeprefix("http://").removesuffix("/v1")
        with pytest.raises(Exception, match="500"):
            await answer(llm)  # the SDK's own retries are off, also of this client
        assert len(server.asked) == 1
        assert text_of(await answer(llm)) == "Hello. "
        llm.prewarm()
        await llm.aclose()
        assert not client.is_closed()
        assert server.asked[0].headers["authorization"] == "Bearer mine"

        async def elsewhere() -> None:
            with pytest.raises(SessionStateError, match="another event loop"):
                await answer(llm)

        await asyncio.to_thread(asyncio.run, elsewhere())
        await asyncio.get_running_loop().shutdown_default_executor()
        await client.close()


def test_a_client_and_what_makes_one_exclude_each_other() -> None:
    client = sdk.AsyncOpenAI(api_key="mine", base_url="http://localhost/v1")
    with pytest.raises(OptionError, match="client has its own key"):
        LLM(client=client, api_key="other")


async def test_a_key_may_be_made_for_each_request() -> None:
    keys = iter(("first", "second"))

    async def key() -> str:
        return next(keys)

    async with OpenAIServer(["One.", "Two."]) as server:
        llm = LLM(base_url=server.base_url, api_key=key)
        await answer(llm)
        await answer(llm)
        await llm.aclose()
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]
