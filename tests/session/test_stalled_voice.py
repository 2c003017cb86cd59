"""A voice that stalls in the middle of a sentence is the voice's fault, not the sink's."""

from __future__ import annotations

from sessionactors.actors.playout_lost import PlayoutLost

from tests.session.talks import one_turn, played


def test_a_sink_that_waits_for_the_voice_is_not_given_up() -> None:
    scenario = one_turn()
    scenario.tts_fails(1, after=0.6)
    scenario.close(at=60.0)
    run = played(scenario)
    assert not [event for event in run.errors if isinstance(event.error, PlayoutLost)]
    assert run.conversation[-1] == ("assistant", "I am fine, thank you.")
