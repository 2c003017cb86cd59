"""What a session can be told: say this, reply, be silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence
from typing import TYPE_CHECKING, cast

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import InterruptSpeech
from sessionactors.messages.session import SpeakRequested
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.speech import SPEECH_PRIORITY_NORMAL, SpeechSource
from sessionactors.model.tools import ToolChoice

from .session_link import SessionLink, Userdata_T
from .speech_handle import SpeechHandle

if TYPE_CHECKING:
    from .agent_session import AgentSession


class Speaking(SessionLink[Userdata_T]):
    """The commands of a session."""

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Say a text.

        Raises:
            SessionStateError: the session is not running.
        """
        return self._speak(
            SpeechSpec(
                id=self._new_speech_id("say()"),
                source=SpeechSource.SAY,
                agent=self._agent_in_charge(),
                text=text,
                allow_interruptions=given(allow_interruptions, self._options.allow_interruptions),
                add_to_chat_ctx=add_to_chat_ctx,
                priority=priority,
            )
        )

    def generate_reply(
        self,
        *,
        user_input: str | None = None,
        instructions: str | None = None,
        tool_choice: ToolChoice = "auto",
        tools: Sequence[str] | None = None,
        chat_ctx: ChatContext | None = None,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Have the model reply.

        Args:
            user_input: text to reply to; enters the history as the user's message.
            instructions: a system message at the end of this reply's context only.
            tool_choice: whether tools may, must or must not be called.
            tools: names of the tools it may use; None for all.
            chat_ctx: context instead of the session's history.
            allow_interruptions: whether the user may cut it off; the session's option if not given.
            priority: higher ones are heard first.

        Raises:
            SessionStateError: the session is not running, or has no model.
            ValueError: an unknown tool; the text lists the known ones.
        """
        speech_id = self._new_speech_id("generate_reply()")
        if self._llm is None:
            raise SessionStateError("generate_reply() needs a model: give the session an llm")
        known = [tool.name for tool in self.current_agent.tools]
        unknown = [name for name in tools or () if name not in known]
        if unknown:
            raise ValueError(f"unknown tools {', '.join(unknown)}; the agent has: {', '.join(known) or 'none'}")
        return self._speak(
            SpeechSpec(
                id=speech_id,
                source=SpeechSource.GENERATE_REPLY,
                agent=self._agent_in_charge(),
                instructions=instructions,
                chat_items=None if chat_ctx is None else tuple(chat_ctx.items),
                tools=tools,
                tool_choice=tool_choice,
                allow_interruptions=given(allow_interruptions, self._options.allow_interruptions),
                priority=priority,
            ),
            user_input,
        )

    def _new_speech_id(self, call: str) -> str:
        system, _ = self._listening(call)
        return system.tree(self._room_name).new_id("speech")

    def _speak(self, spec: SpeechSpec, user_input: str | None = None) -> SpeechHandle:
        _, wiring = self._live(spec.source.value)
        handle = SpeechHandle(
            cast("AgentSession[object]", self),
            spec.id,
            allow_interruptions=spec.allow_interruptions,
            priority=spec.priority,
        )
        self._mirror.handles[spec.id] = handle
        self._mirror.watch(handle)
        wiring.agent.tell(SpeakRequested(spec, user_input))
        return handle

    def interrupt(self, *, force: bool = False) -> asyncio.Future[None]:
        """Cut off the current speech and those queued behind it, up to the first protected one.

        Returns:
            A future that is done when the interrupted speeches are over.

        Raises:
            SessionStateError: the session is not running, or the current speech is protected and ``force`` is not set.
        """
        _, wiring = self._listening("interrupt()")
        current = self._mirror.current
        if current is not None and not current.allow_interruptions and not force:
            raise SessionStateError(
                f"{current.id} does not allow interruptions; pass force=True to cut it off all the same"
            )
        cut = self._mirror.to_be_cut(force=force)
        for handle in cut:
            handle._was_interrupted()
        wiring.floor.tell(InterruptSpeech(None, force, tuple(handle.id for handle in cut if not handle._created)))
        waiting = [handle._done for handle in cut]
        done: asyncio.Future[None] = self._loop.create_future()

        async def settle() -> None:
            await asyncio.gather(*(asyncio.shield(future) for future in waiting))
            if not done.done():
                done.set_result(None)

        if waiting:
            self._run("interrupt", settle())
        else:
            done.set_result(None)
        return done
