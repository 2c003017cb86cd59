"""A chat context as messages that the API takes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sessionactors.model.chat import AgentHandoff, ChatItem, ChatMessage, ChatRole, FunctionCall, FunctionCallOutput
from sessionactors.model.provider_format import IN_PROGRESS
from sessionactors.providers.openai.chat_messages import to_messages


def says(role: ChatRole, text: str) -> ChatMessage:
    return ChatMessage(role, [text], id="", created_at=0.0)


def call(call_id: str) -> FunctionCall:
    return FunctionCall(call_id, "weather", "{}", id="", created_at=0.0)


def output(call_id: str, text: str = "sunny") -> FunctionCallOutput:
    return FunctionCallOutput(call_id, "weather", text, id="", created_at=0.0)


def shape(*items: ChatItem) -> list[str]:
    """Messages in short: role, calls, what is answered."""
    short = []
    for message in to_messages(items):
        made: Any = message
        calls = [one["id"] for one in made.get("tool_calls", ())]
        short.append(" ".join([made["role"], *calls, made.get("tool_call_id", ""), made["content"] or ""]).split())
    return [" ".join(words) for words in short]


def test_roles_and_parts() -> None:
    two = ChatMessage("user", ["Hello", "there"], id="", created_at=0.0)
    assert shape(says("system", "Be brief."), two, says("assistant", "Hi."), says("developer", "Now.")) == [
        "system Be brief.",
        "user Hello there",
        "assistant Hi.",
        "developer Now.",
    ]


def test_an_endpoint_that_knows_no_developer_gets_system() -> None:
    assert to_messages([says("developer", "Now.")], developer_role=False) == [{"role": "system", "content": "Now."}]


def test_what_was_not_heard_and_handoffs_are_left_out() -> None:
    handoff = AgentHandoff("other", id="", created_at=0.0)
    assert shape(says("user", "Hello"), says("assistant", ""), handoff) == ["user Hello"]


def test_calls_of_one_step_are_one_message_followed_by_their_outputs() -> None:
    assert shape(says("user", "And?"), call("a"), call("b"), output("b", "two"), output("a", "one")) == [
        "user And?",
        "assistant a b",
        "tool a one",
        "tool b two",
    ]


def test_calls_join_the_text_of_their_step() -> None:
    assert shape(says("assistant", "One moment."), call("a"), output("a")) == [
        "assistant a One moment.",
        "tool a sunny",
    ]


def test_steps_stay_apart() -> None:
    assert shape(call("a"), output("a"), call("b"), output("b")) == [
        "assistant a",
        "tool a sunny",
        "assistant b",
        "tool b sunny",
    ]


def test_p05_an_output_that_comes_late_is_put_behind_its_call() -> None:
    assert shape(call("a"), says("user", "Well?"), output("a")) == ["assistant a", "tool a sunny", "user Well?"]


def test_p05_a_call_without_an_output_is_marked_as_in_progress() -> None:
    assert shape(call("a")) == ["assistant a", f"tool a {IN_PROGRESS}"]


def test_p05_an_output_without_its_call_is_never_sent() -> None:
    assert shape(output("a"), says("user", "Well?"), output("b")) == ["user Well?"]


def test_of_two_outputs_the_last_counts() -> None:
    assert shape(call("a"), output("a", "working"), output("a", "done"), call("a")) == [
        "assistant a",
        "tool a done",
        "assistant a",
        "tool a done",
    ]


ITEMS = st.lists(
    st.one_of(
        st.sampled_from("abcd").map(call),
        st.sampled_from("abcd").map(output),
        st.sampled_from(["user", "assistant"]).map(lambda role: says(role, role)),  # type: ignore[arg-type]
    )
)


@given(ITEMS)
def test_p05_every_call_is_followed_by_its_output_and_every_output_has_its_call(items: list[ChatItem]) -> None:
    open_calls: list[str] = []
    for message in to_messages(items):
        made: Any = message
        if made["role"] == "tool":
            assert made["tool_call_id"] == open_calls.pop(0)
        else:
            assert open_calls == []
            open_calls = [one["id"] for one in made.get("tool_calls", ())]
            assert len(set(open_calls)) == len(open_calls)
    assert open_calls == []
