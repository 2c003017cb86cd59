"""The video example: what the camera showed when the question was asked is what the answer is about."""

from __future__ import annotations

from sessionactors.testing.virtual_loop import run

from examples import video_question


def test_each_answer_is_about_the_picture_of_its_question() -> None:
    lines: list[str] = []
    outcome = run(lambda: video_question.scripted_call(lines.append))
    assert outcome.answers == ["It is red.", "It is green.", "It is blue."]
    assert outcome.asked_with == [1, 2, 3]
    assert 40 < outcome.taken < 60
    assert lines[0] == "user: What colour is it?"
