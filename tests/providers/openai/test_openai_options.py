"""What a chat model is told besides the conversation, and the servers it may be at."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from sessionactors.model.errors import OptionError
from sessionactors.providers.openai import LLM

from tests.providers.openai.asking import WEATHER, answer, hello
from tests.wire.openai_server import Asked, OpenAIServer


async def asked_with(model: str = "gpt-4.1", *, request: dict[str, Any] | None = None, **options: Any) -> Asked:
    async with OpenAIServer(["Yes."]) as server:
        llm = LLM(model, base_url=server.base_url, **options)
        await answer(llm, **(request or {}))
        await llm.aclose()
    assert server.refused == []
    return server.asked[0]


async def test_options_are_sent_as_the_vendor_names_them() -> None:
    options: dict[str, Any] = {
        "user": "room-1",
        "safety_identifier": "abc",
        "prompt_cache_key": "front-desk",
        "prompt_cache_retention": "24h",
        "temperature": 0.5,
        "top_p": 0.9,
        "store": True,
        "metadata": {"room": "1"},
        "max_completion_tokens": 99,
        "service_tier": "priority",
        "verbosity": "low",
    }
    asked = await asked_with(
        **options,
        api_key="secret",
        extra_headers={"X-Team": "voice"},
        extra_body={"seed": 4},
        extra_query={"trace": "1"},
    )
    assert {name: asked.body[name] for name in options} == options
    assert asked.body["seed"] == 4
    assert asked.query == {"trace": "1"}
    assert (asked.headers["authorization"], asked.headers["x-team"]) == ("Bearer secret", "voice")


async def test_options_about_tools_go_with_tools() -> None:
    asked = await asked_with(parallel_tool_calls=False, tool_choice="required", request={"tools": [WEATHER]})
    assert (asked.body["parallel_tool_calls"], asked.body["tool_choice"]) == (False, "required")
    assert asked.body["tools"][0]["function"]["parameters"] == WEATHER.parameters
    asked = await asked_with(tool_choice="required", request={"tools": [WEATHER], "tool_choice": "none"})
    assert asked.body["tool_choice"] == "none"


async def test_strict_tools_are_offered_when_asked_for() -> None:
    asked = await asked_with(strict_tool_schema=True, request={"tools": [WEATHER]})
    function = asked.body["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"]["required"] == ["place"]


@pytest.mark.parametrize(
    "model, effort", [("gpt-5-mini", "minimal"), ("gpt-5.1", "none"), ("gpt-4.1", None), ("o3", None)]
)
async def test_models_that_reason_think_as_little_as_they_can_unless_told(model: str, effort: str | None) -> None:
    assert (await asked_with(model)).body.get("reasoning_effort") == effort


async def test_models_that_reason_get_no_sampling() -> None:
    with capture_logs() as lines:
        asked = await asked_with("gpt-5", temperature=0.5, top_p=0.5, reasoning_effort="high")
    assert not {"temperature", "top_p"} & set(asked.body)
    assert asked.body["reasoning_effort"] == "high"
    assert [line["options"] for line in lines if line["event"] == "options_left_out"] == [["temperature", "top_p"]]
    assert (await asked_with("gpt-5.1", temperature=0.5)).body["temperature"] == 0.5  # with "none" they do not reason


async def test_models_that_refuse_an_effort_beside_tools_get_none() -> None:
    assert "reasoning_effort" not in (await asked_with("gpt-5.2", request={"tools": [WEATHER]})).body
    assert (await asked_with("gpt-5.2")).body["reasoning_effort"] == "none"


def test_a_key_is_needed_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(OptionError, match="OPENAI_API_KEY"):
        LLM()
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert repr(LLM()) == "<openai.LLM gpt-4.1 at api.openai.com>"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1234/v1")
    assert LLM().provider == "localhost:1234"


@pytest.mark.parametrize(
    "options",
    [
        *({"temperature": 3.0}, {"top_p": -0.1}, {"max_completion_tokens": 0}, {"timeout": 0.0}),
        *({"frequency_penalty": 1.0}, {"base_url": "localhost:8000"}),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        LLM(**{"base_url": "http://localhost/v1", **options})


# -- servers ---------------------------------------------------------------------------------------------------------

SERVERS = {
    "cerebras": "CEREBRAS_API_KEY",
    "cometapi": "COMETAPI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "groq": "GROQ_API_KEY",
    "llama_cpp": "",
    "nebius": "NEBIUS_API_KEY",
    "octo": "OCTOAI_TOKEN",
    "ollama": "",
    "openrouter": "OPENROUTER_API_KEY",
    "ovhcloud": "OVHCLOUD_API_KEY",
    "perplexity": "PERPLEXITY_API_KEY",
    "sambanova": "SAMBANOVA_API_KEY",
    "telnyx": "TELNYX_API_KEY",
    "together": "TOGETHER_API_KEY",
    "x_ai": "XAI_API_KEY",
}


@pytest.mark.parametrize("server, variable", SERVERS.items())
def test_servers_have_an_address_and_a_key_of_their_own(
    server: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = getattr(LLM, f"with_{server}")
    monkeypatch.setenv("OPENAI_API_KEY", "not for others")
    if variable:
        monkeypatch.delenv(variable, raising=False)
        with pytest.raises(OptionError, match=variable):
            make()
        monkeypatch.setenv(variable, "secret")
    llm = make(temperature=0.2)
    assert llm.model
    assert llm.provider not in ("", "api.openai.com")
    assert make(model="other", base_url="http://localhost:1/v1").provider == "localhost:1"


def test_a_server_that_serves_what_it_was_started_with_needs_a_model() -> None:
    assert LLM.with_vllm(model="mine").model == "mine"
    with pytest.raises(OptionError, match="vLLM"):
        LLM.with_vllm()


async def test_servers_are_told_the_limit_under_their_own_name_and_no_strict_tools() -> None:
    async with OpenAIServer(["Yes.", "Yes."], strict=False) as server:
        for make in (LLM.with_ollama, LLM.with_groq):
            llm = make(base_url=server.base_url, api_key="secret", max_completion_tokens=7)
            await answer(llm, tools=[WEATHER])
            await llm.aclose()
    ollama, groq = (asked.body for asked in server.asked)
    assert (ollama["max_tokens"], groq["max_completion_tokens"]) == (7, 7)
    assert "strict" not in ollama["tools"][0]["function"]


async def test_servers_know_no_developer() -> None:
    context = hello()
    context.add_message(role="developer", content="Now.")
    async with OpenAIServer(["Yes."]) as server:
        llm = LLM.with_llama_cpp(base_url=server.base_url)
        await answer(llm, context)
        await llm.aclose()
    assert [message["role"] for message in server.asked[0].messages] == ["system", "user", "system"]


async def test_openrouter_routes_as_it_is_told() -> None:
    async with OpenAIServer(["Yes."], strict=False) as server:
        llm = LLM.with_openrouter(
            base_url=server.base_url,
            api_key="secret",
            model="a",
            site_url="https://example.com",
            app_name="desk",
            fallback_models=["b"],
            provider={"sort": "latency"},
            plugins=[{"id": "web"}],
            extra_body={"usage": {"include": True}},
        )
        await answer(llm)
        await llm.aclose()
    asked = server.asked[0]
    assert (asked.headers["http-referer"], asked.headers["x-title"]) == ("https://example.com", "desk")
    assert asked.body["models"] == ["a", "b"]
    assert (asked.body["provider"], asked.body["plugins"]) == ({"sort": "latency"}, [{"id": "web"}])
    assert asked.body["usage"] == {"include": True}


def test_letta_is_asked_as_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTA_API_KEY", "secret")
    assert LLM.with_letta(agent_id="agent-1").model == "agent-1"
    with pytest.raises(OptionError, match="no host"):
        LLM.with_letta(agent_id="agent-1", base_url="https:")


async def test_azure_is_asked_for_a_deployment() -> None:
    async with OpenAIServer(["Yes."], key="secret") as server:
        llm = LLM.with_azure(
            model="gpt-4o",
            azure_endpoint=server.base_url.removesuffix("/v1"),
            azure_deployment="mine",
            api_version="2025-04-01-preview",
            api_key="secret",
            temperature=0.1,
        )
        await answer(llm, tools=[WEATHER])
        await llm.aclose()
    asked = server.asked[0]
    assert asked.headers["api-key"] == "secret"
    assert asked.query == {"api-version": "2025-04-01-preview"}
    assert asked.body["tools"][0]["function"]["strict"] is True


def test_azure_needs_an_address_and_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_VERSION"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(OptionError, match="credentials"):
        LLM.with_azure()
    with pytest.raises(OptionError, match="AZURE_OPENAI_ENDPOINT"):
        LLM.with_azure(api_key="secret", api_version="1")
