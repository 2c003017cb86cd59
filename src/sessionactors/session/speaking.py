"""What a session can be told: say this, reply, be silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence

import structlog

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.floor import InterruptSpeech, SetAllowInterruptions
from sessionactors.messages.session import SpeakRequested
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import SessionStateError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.speech import SPEECH_PRIORITY_NORMAL, InputModality, SpeechSource
from sessionactors.model.tools import ToolChoice

from .on_enter import ON_ENTER
from .realtime_limits import check_reply, says
from .realtime_turns import BY_SERVER
from .session_link import SessionLink, Userdata_T
from .speech_handle import SpeechHandle
from .waits import CURRENT_TOOL

log = structlog.get_logger("sessionactors.session")


class Speaking(SessionLink[Userdata_T]):
    """The commands of a session."""

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        audio: NotGivenOr[AsyncIterable[AudioFrame] | None] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Say a text.

        Args:
            text: what is said, shown and kept; pieces of an iterable are concatenated as they are.
            audio: the text as audio: int16 frames of any rate, read on the loop of the session's user a little ahead
                of what is heard. The voice is not asked then.
            allow_interruptions: whether the user may cut it off; the session's option if not given.
            add_to_chat_ctx: whether the model sees it later. It is in the history in any case.
            priority: higher ones are heard first; nothing is cut off for them.

        Raises:
            SessionStateError: the session is not running; or it has a place to be heard, no voice, and no ``audio``.
        """
        speech_id = self._new_speech_id("say()")
        agent, recorded = self._agent_in_charge(), given(audio, None)
        voiceless = agent.components.tts is None and not says(agent.components.llm)
        if recorded is None and voiceless and self._is_heard():
            raise SessionStateError(
                "say() needs a voice: give the session or the agent a tts, the call an audio, or turn the output off"
            )
        return self._speak(
            SpeechSpec(
                id=speech_id,
                source=SpeechSource.SAY,
                agent=agent,
                text=text,
                audio=recorded,
                allow_interruptions=self._interruptible(allow_interruptions, agent),
                add_to_chat_ctx=add_to_chat_ctx,
                priority=priority,
            )
        )

    def generate_reply(
        self,
        *,
        user_input: NotGivenOr[str | ChatMessage | None] = NOT_GIVEN,
        instructions: NotGivenOr[str | None] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[Sequence[str] | None] = NOT_GIVEN,
        chat_ctx: NotGivenOr[ChatContext | None] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        input_modality: InputModality = "text",
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Have the model reply.

        Args:
            user_input: what to reply to; enters the history as the user's message.
            instructions: a system message at the end of this reply's context only.
            tool_choice: whether tools may, must or must not be called; ``"auto"`` if not given, but ``"none"`` inside
                of a tool, which would otherwise call itself.
            tools: names of the tools it may use; all of the agent's if not given.
            chat_ctx: context instead of the session's history.
            allow_interruptions: whether the user may cut it off; the session's option if not given.
            input_modality: whether the user typed or spoke what it answers.
            priority: higher ones are heard first; nothing is cut off for them.

        Raises:
            SessionStateError: the session is not running, or has no model.
            ValueError: an unknown tool (the text lists the known ones), or a ``user_input`` that is not the user's.
        """
        speech_id = self._new_speech_id("generate_reply()")
        agent = self._agent_in_charge()
        if agent.components.llm is None:
            raise SessionStateError("generate_reply() needs a model: give the session or the agent an llm")
        said = given(user_input, None)
        if isinstance(said, ChatMessage) and said.role != "user":
            raise ValueError(f"user_input must be a message of the user, got one of the role {said.role!r}")
        context = given(chat_ctx, None)
        check_reply(agent.components.llm, user_input=said, chat_ctx=context)
        inside_of_a_tool = CURRENT_TOOL.get() is not None
        return self._speak(
            SpeechSpec(
                id=speech_id,
                source=SpeechSource.GENERATE_REPLY,
                agent=agent,
                instructions=given(instructions, None),
                chat_items=None if context is None else tuple(context.items),
                tools=_known(given(tools, None), agent),
                tool_choice=given(tool_choice, "none" if inside_of_a_tool else "auto"),
                allow_interruptions=self._interruptible(allow_interruptions, agent),
                priority=priority,
                input_modality=input_modality,
                on_enter=ON_ENTER.get(),
            ),
            said,
        )

    def _interruptible(self, wanted: NotGivenOr[bool], agent: UserAgent) -> bool:
        """Whether the user may cut it off. Beside a server that detects turns, always: it interrupts by itself."""
        wiring = self._wiring
        if wiring is None or not wiring.components.server_turns:
            return given(wanted, agent.options(self._options).allow_interruptions)
        if not given(wanted, True):
            log.warning("allow_interruptions_ignored", room=self._room_name, reason=BY_SERVER)
        return True

    def _is_heard(self) -> bool:
        """Whether there is a place where the agent would be heard, if it had a voice."""
        wiring = self._wiring
        if wiring is None or not self._output.audio_enabled or not wiring.components.audio_output:
            return False
        transport = wiring.components.transport
        return self._output.audio is not None or (transport is not None and transport.audio_sink is not None)

    def _new_speech_id(self, call: str) -> str:
        system, _ = self._listening(call)
        return system.tree(self._room_name).new_id("speech")

    def _speak(self, spec: SpeechSpec, user_input: str | ChatMessage | None = None) -> SpeechHandle:
        _, wiring = self._live(spec.source.value)
        self._open_handle(spec.id, spec.allow_interruptions, spec.priority, spec.input_modality)
        handle = self._handle_of(spec.id)
        self._mirror.watch(handle)
        tool = CURRENT_TOOL.get()
        wiring.agent.tell(SpeakRequested(spec, user_input, "" if tool is None else tool.speech_id))
        return handle

    def _interrupt_speech(self, speech_id: str, *, force: bool) -> None:
        _, wiring = self._live("interrupt()")
        wiring.floor.tell(InterruptSpeech(speech_id, force))

    def _set_allow_interruptions(self, speech_id: str, allow: bool) -> None:
        _, wiring = self._live("allow_interruptions")
        wiring.floor.tell(SetAllowInterruptions(speech_id, allow))

    def interrupt(self, *, force: bool = False) -> asyncio.Future[None]:
        """Cut off the current speech and those queued behind it, up to the first protected one.

        Returns:
            A future that is done when the interrupted speeches are over. In a tool, its own speech is cut but not
            waited for: that ends after the tool.

        Raises:
            SessionStateError: the session is not running, or the current speech is protected and ``force`` is not set;
                then nothing is cut.
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
        tool = CURRENT_TOOL.get()
        waiting = [handle._done for handle in cut if tool is None or handle.id != tool.speech_id]
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


def _known(names: Sequence[str] | None, agent: UserAgent) -> tuple[str, ...] | None:
    if names is None:
        return None
    known = [tool.name for tool in agent.tools]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown tools {', '.join(unknown)}; the agent has: {', '.join(known) or 'none'}")
    return tuple(names)
