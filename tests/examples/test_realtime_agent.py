"""The realtime example's scripted call: interrupted, with a tool, over two connections."""

from __future__ import annotations

from examples import realtime_agent


async def test_both_sides_know_what_was_heard_and_no_more() -> None:
    lines: list[str] = []
    outcome = await realtime_agent.scripted_call(lines.append)
    question, (role, story), stop, weather, bye = outcome.here
    assert (question, stop) == (("user", "Tell me a story."), ("user", "Stop! How is the weather in Oslo?"))
    assert (weather, bye) == (("assistant", "It is sunny in Oslo."), ("assistant", "Good bye."))
    assert role == "assistant"
    assert story
    assert "Once upon a time there was a king who lived in a castle by the sea.".startswith(story)
    assert len(story) < 40
    assert outcome.tools == ["It is sunny in Oslo."]
    assert len(outcome.outages) == 1
    first, second = outcome.there
    assert [text for text in first if " ms of 4.0 s" in text] == [first[1]]
    assert second == [text for _, text in outcome.here[:3]] + [
        "It is sunny in Oslo.",  # the tool's output
        "It is sunny in Oslo.",
        "Good bye.",
    ]
    assert any("agent was heard to say: Once" in line and line.endswith(" ...") for line in lines)
