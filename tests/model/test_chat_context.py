"""Chat contexts: items as values, editing, filtering, reading and writing."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

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
    Instructions,
)
from sessionactors.model.chat import ChatItem, ReadOnlyChatContext


def said(text: str, at: float, item_id: str = "") -> ChatMessage:
    return ChatMessage("user", [text], id=item_id or text, created_at=at)


def full() -> ChatContext:
    """One of each kind."""
    return ChatContext(
        [
            ChatMessage("system", ["Be kind."], id="i", created_at=1.0),
            AgentConfigUpdate("Be kind.", ["weather"], id="c", created_at=2.0),
            AgentHandoff("b", "a", id="h", created_at=3.0),
            ChatMessage(
                "user",
                ["Look:", ImageContent("https://a/b.png", id="img"), AudioContent([AudioFrame(b"\1\2", 8000)], "hm")],
                id="u",
                created_at=4.0,
                transcript_confidence=0.5,
                metrics={"end_of_turn_delay": 0.25},
                extra={"k": ["v"]},
            ),
            FunctionCall("call-1", "weather", "{}", id="f", created_at=5.0, group_id="g"),
            FunctionCallOutput("call-1", "weather", "sunny", is_error=False, id="o", created_at=6.0),
            FunctionCall("call-2", "time", "{}", id="f2", created_at=7.0),
            ChatMessage("assistant", ["It is", "sunny"], id="a", created_at=8.0, interrupted=True),
            ChatMessage("assistant", [], id="e", created_at=9.0),
        ]
    )


def ids(context: ChatContext) -> list[str]:
    return [item.id for item in context]


def test_items_are_values() -> None:
    message = said("Hello.", 1.0)
    with pytest.raises(FrozenInstanceError):
        message.role = "system"  # type: ignore[misc]
    with pytest.raises(TypeError, match="make a new message"):
        message.content.append("more")
    assert message.content == ["Hello."]
    assert replace(message, content=["Bye."]).text_content == "Bye."
    assert ChatMessage("user", "one string").content == ["one string"]  # type: ignore[arg-type]


def test_text_is_what_can_be_read_of_a_message() -> None:
    by_id = {item.id: item for item in full().messages()}
    assert by_id["u"].text_content == "Look:"
    assert by_id["a"].text_content == "It is\nsunny"
    assert by_id["e"].text_content == ""


def test_a_message_with_a_time_is_added_where_it_belongs() -> None:
    context = ChatContext([said("one", 1.0), said("three", 3.0)])
    context.add_message(role="user", content="two", id="two", created_at=2.0)
    last = context.add_message(role="system", content=Instructions("Be brief.", audio="Speak."), extra={"k": 1})
    assert ids(context) == ["one", "two", "three", last.id]
    assert (last.text_content, last.extra) == ("Be brief.", {"k": 1})


def test_equal_times_keep_the_order_of_insertion() -> None:
    context = ChatContext([said("one", 1.0), said("three", 3.0)])
    context.insert([said("again", 1.0), said("once more", 1.0), said("zero", 0.5)])
    assert ids(context) == ["zero", "one", "again", "once more", "three"]


@given(st.lists(st.floats(0, 10)))
@settings(max_examples=60, deadline=None)
def test_what_is_inserted_one_by_one_is_sorted_by_time_and_stable(times: list[float]) -> None:
    context = ChatContext()
    for number, at in enumerate(times):
        context.insert(said(str(number), at))
    assert ids(context) == [str(number) for number, _ in sorted(enumerate(times), key=lambda pair: pair[1])]


def test_items_are_found_and_removed_by_id() -> None:
    context = full()
    assert context.index_by_id("u") == 3
    assert context.get_by_id("nobody") is None
    context.remove("u")
    context.remove(context.items[0])
    assert ids(context)[:3] == ["c", "h", "f"]
    with pytest.raises(ValueError, match="no item 'u' in this context of 7 items"):
        context.remove("u")


@pytest.mark.parametrize(
    "excluded, gone",
    [
        ({"exclude_function_call": True}, "f o f2"),
        ({"exclude_instructions": True}, "i"),
        ({"exclude_empty_message": True}, "e"),
        ({"exclude_handoff": True}, "h"),
        ({"exclude_config_update": True}, "c"),
        ({"tools": ["time"]}, "f o"),
        ({"tools": []}, "f o f2"),
    ],
)
def test_a_copy_leaves_out_what_it_is_told_to(excluded: dict[str, bool], gone: str) -> None:
    context = full()
    kept = context.copy(**excluded)  # type: ignore[arg-type]
    assert ids(kept) == [item for item in ids(context) if item not in gone.split()]
    assert len(context) == 9


def test_truncating_keeps_the_instructions_and_tears_no_call_from_its_output() -> None:
    assert ids(full().truncate(max_items=4)) == ["i", "a", "e"]  # "o" and "f2" would come first
    assert ids(full().truncate(max_items=0)) == ["i"]
    assert ids(full().truncate(max_items=9)) == ids(full())
    with pytest.raises(ValueError, match="negative, got -1"):
        full().truncate(max_items=-1)


@given(st.integers(0, 12), st.permutations(full().items))
@settings(max_examples=60, deadline=None)
def test_a_truncated_context_never_begins_with_a_call_and_never_loses_the_instruction(
    count: int, items: list[ChatItem]
) -> None:
    context = ChatContext(items).truncate(max_items=count)
    assert len(context) <= max(count, 0) + 1
    assert "i" in ids(context)
    rest = [item for item in context if item.id != "i"]
    if len(items) > count and context.items[0].id == "i" and items.index(context.items[0]) < len(items) - count:
        assert not rest or not isinstance(rest[0], FunctionCall | FunctionCallOutput)


def test_merging_adds_what_is_missing_by_its_time() -> None:
    context = ChatContext([said("one", 1.0), said("ten", 10.0)])
    context.merge(full(), exclude_function_call=True, exclude_instructions=True, exclude_config_update=True)
    assert ids(context) == ["one", "h", "u", "a", "e", "ten"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 5))), st.lists(st.sampled_from("abcdef")))
@settings(max_examples=60, deadline=None)
def test_merging_twice_is_merging_once(one: list[tuple[str, float]], other: list[str]) -> None:
    context = ChatContext()
    context.insert([said(name, at, name) for name, at in dict(one).items()])
    added = ChatContext([said(name, 2.5, name) for name in other])
    once = ids(context.merge(added))
    assert ids(context.merge(added)) == once
    assert len(once) == len(set(once)) == len({*dict(one), *other})


def test_equivalence_is_about_what_was_said_not_when() -> None:
    one, two = full(), full()
    two.items[:] = [replace(item, created_at=item.created_at + 1) for item in two]
    assert one.is_equivalent(two)
    two.items[3] = said("something else", 4.0, "u")
    assert not one.is_equivalent(two)
    assert not one.is_equivalent(ChatContext(one.items[:-1]))


def test_a_context_survives_being_written_and_read() -> None:
    written = json.dumps(full().to_dict(exclude_image=False, exclude_audio=False, exclude_timestamp=False))
    assert ChatContext.from_dict(json.loads(written)).items == full().items


def test_pictures_sound_and_times_are_written_only_if_asked_for() -> None:
    plain = full().to_dict(exclude_function_call=True, exclude_config_update=True, exclude_metrics=True)
    assert plain["items"][2] == {
        "id": "u",
        "type": "message",
        "role": "user",
        "content": ["Look:"],
        "interrupted": False,
        "transcript_confidence": 0.5,
        "extra": {"k": ["v"]},
    }


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"items": 3},
        {"items": [{"type": "message", "role": "nobody", "content": []}]},
        {"items": [{"type": "gossip"}]},
        {"items": [{"type": "message", "role": "user", "content": [b"x"]}]},
    ],
)
def test_what_is_no_context_is_refused_with_a_reason(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a chat context"):
        ChatContext.from_dict(data)


# F13: every way to change a read-only context raises, so that no change is lost without a word.
MUTATIONS: list[Callable[[ChatContext], object]] = [
    lambda context: context.items.append(said("x", 1.0)),
    lambda context: context.items.insert(0, said("x", 1.0)),
    lambda context: context.items.extend([said("x", 1.0)]),
    lambda context: context.items.pop(),
    lambda context: context.items.remove(context.items[0]),
    lambda context: context.items.clear(),
    lambda context: context.items.reverse(),
    lambda context: context.items.sort(key=lambda item: item.id),
    lambda context: context.items.__setitem__(0, said("x", 1.0)),
    lambda context: context.items.__setitem__(slice(None), []),
    lambda context: context.items.__delitem__(0),
    lambda context: context.items.__iadd__([said("x", 1.0)]),
    lambda context: context.items.__imul__(2),
    lambda context: setattr(context, "items", []),
    lambda context: context.insert(said("x", 1.0)),
    lambda context: context.remove("u"),
    lambda context: context.add_message(role="user", content="x"),
    lambda context: context.add_message(role="user", content="x", created_at=1.0),
    lambda context: context.truncate(max_items=1),
    lambda context: context.truncate(max_items=99),
    lambda context: context.merge(ChatContext([said("x", 1.0)])),
    lambda context: context.merge(ChatContext()),
]


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_a_read_only_context_refuses_every_change(mutate: Callable[[ChatContext], object]) -> None:
    context = ReadOnlyChatContext(full().items)
    with pytest.raises(TypeError, match=r"agent\.update_chat_ctx"):
        mutate(context)
    assert context.items == full().items


def test_every_mutator_of_a_list_is_refused() -> None:
    reading = {"copy", "count", "index"}
    items = ReadOnlyChatContext(full().items).items
    for name in {name for name in vars(list) if not name.startswith("_")} - reading:
        with pytest.raises(TypeError):
            getattr(items, name)()


def test_a_read_only_context_can_be_copied_and_the_copy_changed() -> None:
    context = ReadOnlyChatContext(full().items)
    copy = context.copy()
    copy.add_message(role="user", content="more")
    assert (context.readonly, copy.readonly) == (True, False)
    assert (len(context), len(copy), len(context.items.copy())) == (9, 10, 9)
    assert pickle.loads(pickle.dumps(context.items)) == context.items


# -- for providers ---------------------------------------------------------------------------------------------------


def test_pictures_reach_chat_completions_as_parts() -> None:
    messages, beside = full().to_provider_format("openai")
    assert beside is None
    assert messages[1] == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look:"},
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "auto"}},
            {"type": "text", "text": "hm"},
        ],
    }
    assert [message["role"] for message in messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]


def test_the_responses_api_gets_items() -> None:
    entries, _ = full().to_provider_format("openai.responses")
    assert [entry.get("type", entry.get("role")) for entry in entries] == [
        *("system", "user", "function_call", "function_call_output", "function_call", "function_call_output"),
        "assistant",
    ]
    assert entries[3] == {"type": "function_call_output", "call_id": "call-1", "output": "sunny"}
    assert "in progress" in str(entries[5]["output"])
    parts = entries[1]["content"]
    assert isinstance(parts, list)
    assert [part["type"] for part in parts] == ["input_text", "input_image", "input_text"]


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match=r"'gopher'; there are: openai, openai\.responses"):
        full().to_provider_format("gopher")  # type: ignore[arg-type]


def test_instructions_differ_by_modality() -> None:
    both = Instructions("Be kind.", audio="Speak briefly.", text="Use lists.")
    assert both.render() == str(both) == "Be kind."
    assert both.render(modality="audio") == "Be kind.\n\nSpeak briefly."
    assert Instructions("Be kind.", audio="Speak.").render(modality="text") == "Be kind."
