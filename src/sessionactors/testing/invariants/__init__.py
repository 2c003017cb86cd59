"""The promises, checked on a finished run. Each check says what is broken, or nothing.

They look at the sound that was heard, at the messages that were handled and at the sums of the mailboxes: never at what
an actor believes of itself, where that can be helped. Scenarios of one room with a :class:`.MarkedVoice`.
"""

from __future__ import annotations

from sessionactors.testing.scenario_run import Run

from .broken import Broken, Check
from .causes import p21_every_message_has_its_cause, p21_the_parts_of_a_turn_add_up
from .failures import (
    no_handler_fails,
    p12_restart_not_hang_up,
    p13_nothing_is_said_by_two_attempts,
    p13_providers_fail_safely,
)
from .lanes import (
    p15_every_mailbox_is_bounded,
    p16_control_overtakes_data,
    p16_order_is_fifo_in_a_lane,
    p18_every_delivery_is_accounted_for,
)
from .life import (
    CLOSE_SLACK,
    p06_legal_states_only,
    p09_never_silent_for_ever,
    p10_closed_once_and_in_time,
    p11_no_circular_waits,
    p17_nothing_is_left_behind,
)
from .sound import (
    p01_no_stale_sound,
    p01_nothing_of_what_was_cut_goes_on,
    p01_what_was_cut_is_not_granted,
    p02_history_is_what_was_heard,
    p08_audio_balances,
)
from .tool_calls import p05_no_superseded_call_starts, p05_tool_calls_are_conserved
from .users import (
    p03_transcripts_are_conserved,
    p03_turns_of_a_handoff_are_the_next_agents,
    p04_one_reply_for_each_turn,
    p07_the_user_wins,
)

__all__ = [
    "CHECKS",
    "CLOSE_SLACK",
    "Broken",
    "Check",
    "broken",
    "check",
    "no_handler_fails",
    "p01_no_stale_sound",
    "p01_nothing_of_what_was_cut_goes_on",
    "p01_what_was_cut_is_not_granted",
    "p02_history_is_what_was_heard",
    "p03_transcripts_are_conserved",
    "p03_turns_of_a_handoff_are_the_next_agents",
    "p04_one_reply_for_each_turn",
    "p05_no_superseded_call_starts",
    "p05_tool_calls_are_conserved",
    "p06_legal_states_only",
    "p07_the_user_wins",
    "p08_audio_balances",
    "p09_never_silent_for_ever",
    "p10_closed_once_and_in_time",
    "p11_no_circular_waits",
    "p12_restart_not_hang_up",
    "p13_nothing_is_said_by_two_attempts",
    "p13_providers_fail_safely",
    "p15_every_mailbox_is_bounded",
    "p16_control_overtakes_data",
    "p16_order_is_fifo_in_a_lane",
    "p17_nothing_is_left_behind",
    "p18_every_delivery_is_accounted_for",
    "p21_every_message_has_its_cause",
    "p21_the_parts_of_a_turn_add_up",
]


def broken(run: Run) -> list[Broken]:
    """All promises that the run did not keep, those of sound first."""
    return [found for check in CHECKS for found in check(run)]


def check(run: Run) -> None:
    """Raise if a promise was not kept.

    Raises:
        AssertionError: the text lists all that is broken.
    """
    found = broken(run)
    if found:
        raise AssertionError("\n".join(map(str, found)))


CHECKS: tuple[Check, ...] = (
    no_handler_fails,
    p01_no_stale_sound,
    p01_nothing_of_what_was_cut_goes_on,
    p01_what_was_cut_is_not_granted,
    p02_history_is_what_was_heard,
    p03_transcripts_are_conserved,
    p03_turns_of_a_handoff_are_the_next_agents,
    p04_one_reply_for_each_turn,
    p05_tool_calls_are_conserved,
    p05_no_superseded_call_starts,
    p06_legal_states_only,
    p07_the_user_wins,
    p08_audio_balances,
    p09_never_silent_for_ever,
    p10_closed_once_and_in_time,
    p11_no_circular_waits,
    p12_restart_not_hang_up,
    p13_providers_fail_safely,
    p13_nothing_is_said_by_two_attempts,
    p15_every_mailbox_is_bounded,
    p16_order_is_fifo_in_a_lane,
    p16_control_overtakes_data,
    p17_nothing_is_left_behind,
    p18_every_delivery_is_accounted_for,
    p21_every_message_has_its_cause,
    p21_the_parts_of_a_turn_add_up,
)
"""In the order in which they are looked at: the first one that is broken is what a report names."""
