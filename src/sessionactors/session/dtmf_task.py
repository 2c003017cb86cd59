"""``GetDtmfTask``: an agent that finds out some digits, pressed on the telephone or spoken.

Keys are events of the session. It counts them, and how long none came; what is spoken is the model's business, which
gives the digits to a tool.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Self, get_args

from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import AgentStateChangedEvent, UserStateChangedEvent
from sessionactors.model.link_notes import SipDTMFReceivedEvent
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .agent_task import AgentTask
from .function_tool import ToolError, function_tool
from .speech_handle import SpeechHandle
from .telephone import DtmfKey

ROLE = (
    "Your only job now is to get digits from the user; others go on from there. Digits come in one of two ways: the "
    "user says them to you, or presses keys of the telephone, which you are shown between <dtmf_inputs> tags."
)
RECORD = "When the user has said all digits and they make sense, call `record_inputs` with them."
CONFIRM = "When the user has confirmed the digits, aloud or by keys, call `confirm_inputs` with them. Not before."
PRESSED = (
    "The user has pressed these keys of the telephone:\n<dtmf_inputs>{keys}</dtmf_inputs>\n"
    "Read them out one by one and ask whether they are right. If the user says so, call `confirm_inputs` with them."
)


@dataclass
class GetDtmfResult:
    """What :class:`GetDtmfTask` found out."""

    user_input: str
    """The digits, with a space between each: ``"1 2 3 4"``."""

    @classmethod
    def from_dtmf_inputs(cls, dtmf_inputs: list[DtmfKey]) -> Self:
        """Of keys, in order."""
        return cls(" ".join(dtmf_inputs))


class GetDtmfTask(AgentTask[GetDtmfResult]):
    """Finds out digits: ``result = await GetDtmfTask(num_digits=4)`` in a tool or a hook.

    It asks for them, in words that the model finds. Digits that are pressed count when the stop key is pressed, or no
    key for ``dtmf_input_timeout``; while user or agent begin to speak, that time does not run. Keys that are pressed
    while the agent still asks count, too. Digits that are spoken are taken by the model.

    Args:
        num_digits: how many, >= 1.
        ask_for_confirmation: have the agent read out what was pressed, and wait for a yes.
        dtmf_input_timeout: seconds > 0 after the last key.
        dtmf_stop_event: the key that says that all are there; it is no digit.
        chat_ctx: conversation it starts with.
        extra_instructions: more of the system prompt, such as what the digits are.

    Raises:
        OptionError: an argument is out of range.
        ToolError: by ``await``: other than ``num_digits`` keys were pressed.
    """

    def __init__(
        self,
        *,
        num_digits: int,
        ask_for_confirmation: bool = False,
        dtmf_input_timeout: float = 4.0,
        dtmf_stop_event: DtmfKey = "#",
        chat_ctx: NotGivenOr[ChatContext | None] = NOT_GIVEN,
        extra_instructions: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        if num_digits < 1:
            raise OptionError(f"num_digits must be >= 1, got {num_digits!r}")
        if not dtmf_input_timeout > 0:
            raise OptionError(f"dtmf_input_timeout must be > 0 seconds, got {dtmf_input_timeout!r}")
        if dtmf_stop_event not in get_args(DtmfKey):
            raise OptionError(f"dtmf_stop_event={dtmf_stop_event!r} is no key; keys are {', '.join(get_args(DtmfKey))}")

        @function_tool
        async def confirm_inputs(inputs: list[DtmfKey]) -> None:
            """Hand in digits that you read out one by one and that the user confirmed. Never the first thing you do.

            Args:
                inputs: the digits, in order.
            """
            self._take(inputs)

        @function_tool
        async def record_inputs(inputs: list[DtmfKey]) -> None:
            """Hand in the digits, as soon as the user has given all of them.

            Args:
                inputs: the digits, in order.
            """
            self._take(inputs)

        more = given(extra_instructions, "")
        last = CONFIRM if ask_for_confirmation else RECORD
        super().__init__(
            instructions=f"{ROLE} {last}\n{more}" if more else f"{ROLE} {last}",
            chat_ctx=given(chat_ctx, None),
            tools=[confirm_inputs if ask_for_confirmation else record_inputs],
        )
        self._num_digits = num_digits
        self._confirmed = ask_for_confirmation
        self._patience = dtmf_input_timeout
        self._stop_key = str(dtmf_stop_event)
        self._keys: list[DtmfKey] = []
        self._timer: asyncio.TimerHandle | None = None
        self._confirming: SpeechHandle | None = None

    async def on_enter(self) -> None:
        """Ask for the digits."""
        self.session.on("sip_dtmf_received", self._on_key)
        self.session.on("user_state_changed", self._on_state)
        self.session.on("agent_state_changed", self._on_state)
        _ = self.session.generate_reply(tool_choice="none")

    async def on_exit(self) -> None:
        """Count no more keys."""
        self.session.off("sip_dtmf_received", self._on_key)
        self.session.off("user_state_changed", self._on_state)
        self.session.off("agent_state_changed", self._on_state)
        self._wait(run=False)

    def _on_key(self, event: SipDTMFReceivedEvent) -> None:
        if self._is_settled():
            return
        if event.digit == self._stop_key:
            self._pressed_all()
            return
        self._keys.append(event.digit)  # type: ignore[arg-type]  # the session passes keys on, and nothing else
        self._wait(run=True)

    def _on_state(self, event: UserStateChangedEvent | AgentStateChangedEvent) -> None:
        if not self._is_settled():
            self._wait(run=event.new_state not in ("speaking", "thinking") and bool(self._keys))

    def _is_settled(self) -> bool:
        """Whether keys count no more: it is over, or the user is being asked whether they are right."""
        return self.done() or (self._confirming is not None and not self._confirming.done())

    def _wait(self, *, run: bool) -> None:
        """Begin to wait for the next key, or wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if run:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._pressed_all)

    def _pressed_all(self) -> None:
        self._wait(run=False)
        keys, self._keys = self._keys, []
        with suppress(SessionStateError):  # what is said is protected: it is said to its end
            _ = self.session.interrupt()
        if len(keys) != self._num_digits:
            self.complete(ToolError(f"{len(keys)} digits were pressed, and {self._num_digits} are needed"))
        elif self._confirmed:
            self._confirming = self.session.generate_reply(user_input=PRESSED.format(keys=" ".join(keys)))
        else:
            self._take(keys)

    def _take(self, keys: list[DtmfKey]) -> None:
        if not self.done():
            self.complete(GetDtmfResult.from_dtmf_inputs(keys))
