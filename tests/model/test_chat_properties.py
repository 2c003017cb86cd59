"""What holds of any chat context, however it came about."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors import (
    AgentConfigUpdate,
    AgentHandoff,
    AudioContent,
    AudioFrame,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
)
from sessionactors.model.chat import ChatItem, is_instruction
from sessionactors.model.provider_format import IN_PROGRESS

words = st.text('ab\u00e9"\\ \n', max_size=4)
names = st.sampled_from(["weather", "time"])
call_ids = st.sampled_from(["call-1", "call-2", "call-3"])
times = st.floats(0, 2e9, allow_nan=False)
extras = st.dictionaries(words, st.none() | st.booleans() | st.integers() | words | st.lists(words), max_size=2)
pictures = st.builds(
    ImageContent,
    st.just("data:image/png;base64,AAAA"),
    id=words,
    inference_width=st.none() | st.integers(1, 99),
    inference_detail=st.sampled_from(["auto", "high", "low"]),
    mime_type=st.none() | st.just("image/png"),
)
sounds = st.builds(
    AudioContent,
    st.lists(st.binary(max_size=6).filter(lambda data: len(data) % 2 == 0).map(lambda data: AudioFrame(data, 8000))),
    st.none() | words,
)


def at_any_time(kind: type[ChatItem], *args: object, **kwargs: object) -> st.SearchStrategy[ChatItem]:
    return st.builds(kind, *args, **kwargs, id=st.uuids().map(str), created_at=times)  # type: ignore[arg-type]


items = st.one_of(
    at_any_time(
        ChatMessage,
        st.sampled_from(["developer", "system", "user", "assistant"]),
        st.lists(words | pictures | sounds, max_size=3),
        interrupted=st.booleans(),
        transcript_confidence=st.none() | st.floats(0, 1),
        metrics=st.fixed_dictionaries({}, optional={"started_speaking_at": times, "e2e_latency": times}),
        extra=extras,
    ),
    at_any_time(FunctionCall, call_ids, names, words, extra=extras, group_id=st.none() | words),
    at_any_time(FunctionCallOutput, call_ids, names, words, st.booleans(), st.booleans()),
    at_any_time(AgentHandoff, words, st.none() | words),
    at_any_time(
        AgentConfigUpdate, st.none() | words, st.none() | st.lists(words), st.none() | st.lists(words, min_size=1)
    ),
)
contexts = st.lists(items, max_size=8).map(ChatContext)
few = settings(max_examples=30, deadline=None)


@few
@given(contexts)
def test_any_context_survives_json(context: ChatContext) -> None:
    whole = context.to_dict(exclude_image=False, exclude_audio=False, exclude_timestamp=False)
    read = ChatContext.from_dict(json.loads(json.dumps(whole)))
    assert read.items == context.items
    assert read.is_equivalent(context)


@few
@given(contexts)
def test_what_is_left_out_is_all_that_is_missing(context: ChatContext) -> None:
    read = ChatContext.from_dict(json.loads(json.dumps(context.to_dict())))
    assert [(item.id, item.type) for item in read] == [(item.id, item.type) for item in context]
    for item, kept in zip(context, read, strict=True):
        if isinstance(item, ChatMessage):
            item = replace(item, content=[part for part in item.content if isinstance(part, str)])  # noqa: PLW2901
        assert replace(kept, created_at=item.created_at) == item


@few
@given(contexts, contexts)
def test_merging_keeps_what_was_there_and_adds_each_missing_item_once(one: ChatContext, other: ChatContext) -> None:
    before = list(one)
    one.merge(other, exclude_instructions=True)
    added = [item for item in one if all(item is not old for old in before)]
    assert [item for item in one if any(item is old for old in before)] == before
    assert Counter(item.id for item in added) == Counter(item.id for item in other if not is_instruction(item))


@few
@given(contexts, st.integers(0, 9))
def test_a_truncated_context_is_a_tail_with_the_first_instruction(context: ChatContext, most: int) -> None:
    before = list(context)
    kept = list(context.truncate(max_items=most))
    first = next((item for item in before if is_instruction(item)), None)
    instruction = [] if first is None else [first]
    tails = [before[at:] for at in range(max(0, len(before) - most), len(before) + 1)]
    assert kept in tails or kept in [[*instruction, *tail] for tail in tails]
    assert first is None or first in kept


@few
@given(contexts)
def test_chat_completions_accept_any_context(context: ChatContext) -> None:
    """Each call is followed by its output before anybody else speaks, and no output stands alone."""
    messages, _ = context.to_provider_format("openai")
    owed: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == owed.pop(0)
            continue
        assert not owed
        calls = message.get("tool_calls", [])
        assert isinstance(calls, list)
        owed = [call["id"] for call in calls]
        assert message["content"] or calls
        if message["role"] != "user":
            assert message["content"] is None or isinstance(message["content"], str)
    assert not owed


@few
@given(contexts)
def test_the_responses_api_accepts_any_context(context: ChatContext) -> None:
    entries, _ = context.to_provider_format("openai.responses")
    for at, entry in enumerate(entries):
        match entry.get("type"):
            case "function_call":
                assert (entries[at + 1]["type"], entries[at + 1]["call_id"]) == (
                    "function_call_output",
                    entry["call_id"],
                )
            case "function_call_output":
                assert entries[at - 1]["type"] == "function_call"
            case _:
                assert entry["content"]
                assert entry["role"] == "user" or isinstance(entry["content"], str)
    calls = [entry["call_id"] for entry in entries if entry.get("type") == "function_call"]
    assert Counter(calls) == Counter({item.call_id for item in context if isinstance(item, FunctionCall)})
    answered = {item.call_id for item in context if isinstance(item, FunctionCallOutput)}
    for entry in entries:
        if entry.get("type") == "function_call_output" and entry["call_id"] not in answered:
            assert entry["output"] == IN_PROGRESS


@pytest.mark.parametrize("role", ["assistant", "system", "developer"])
def test_only_users_show_pictures(role: str) -> None:
    context = ChatContext([ChatMessage(role, ["Look:", ImageContent("https://a/b.png")])])  # type: ignore[arg-type]
    for format in ("openai", "openai.responses"):
        assert context.to_provider_format(format)[0] == [{"role": role, "content": "Look:"}]


def test_what_a_provider_gave_for_itself_goes_back_to_it_only() -> None:
    context = ChatContext(
        [
            ChatMessage("assistant", ["Wait."], extra={"openai": {"phase": "commentary"}, "mine": 1}),
            FunctionCall("c", "weather", "{}", extra={"google": {"thought_signature": "s"}, "mine": 1}),
            FunctionCallOutput("c", "weather", "sunny"),
            ChatMessage("user", ["Hm."], extra={"openai": {"phase": "commentary"}}),
        ]
    )
    chat, _ = context.to_provider_format("openai")
    assert chat[0]["tool_calls"] == [
        {
            "id": "c",
            "type": "function",
            "function": {"name": "weather", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "s"}},
        }
    ]
    assert "extra_content" not in chat[0]
    responses, _ = context.to_provider_format("openai.responses")
    assert responses[0] == {"role": "assistant", "content": "Wait.", "phase": "commentary"}
    assert responses[-1] == {"role": "user", "content": "Hm."}
