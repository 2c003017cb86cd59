"""``AgentSession``: what users hold. It passes commands to the actors and mirrors what they report.

Everything here runs on the user's loop; the work is done in the modules it inherits from, and in the actors.
"""

from __future__ import annotations

from typing import cast

from sessionactors.model.chat import ChatContext
from sessionactors.model.events import (
    AgentState,
    UserState,
)
from sessionactors.model.sentinel import NOT_GIVEN
from sessionactors.model.usage import AgentSessionUsage

from .agents_of_session import AgentsOfSession
from .amd import AMD
from .insight import Insight
from .io import AgentInput, AgentOutput
from .running import Running
from .session_idle import SessionIdle
from .session_life import SessionLife
from .session_link import Userdata_T
from .settings import Settings
from .speech_handle import SpeechHandle
from .tool_approval import ToolApproval
from .user_turn import UserTurns


class AgentSession(
    Running[Userdata_T],
    AgentsOfSession[Userdata_T],
    UserTurns[Userdata_T],
    SessionIdle[Userdata_T],
    Settings[Userdata_T],
    Insight[Userdata_T],
    SessionLife[Userdata_T],
):
    """One conversation: connects STT, LLM, TTS and VAD to an agent and conducts audio and text.

    Components may be given here or to :meth:`start`. Options follow LiveKit's names; flat ones and ``turn_handling``
    mean the same, and giving both for one setting is an error.

    Args:
        stt: speech to text.
        vad: voice activity detection.
        llm: the model.
        tts: the voice.
        turn_handling: the options about turns as one dict, see :class:`.TurnHandlingOptions`.
        max_tool_steps: model requests with tools in one reply.
        video_sampler: which pictures of the user to keep: a :class:`.VoiceActivityVideoSampler` (one a second while the
            user speaks, 0.3 otherwise; also if not given), a callable ``(frame, session) -> bool``, or None for all.
        use_tts_aligned_transcript: take the transcript from the voice's word timings, where it has them.
        tts_text_transforms: what is left out of the text that the voice is given; None: nothing.
        min_consecutive_speech_delay: seconds between two speeches.
        tools: tools and tool sets of the session: every agent has them, before its own.
        tool_handling: words for what a model is told of tools.
        stt_context_options: what the recogniser is told of the conversation, see :class:`.STTContextOptions`.
        userdata: anything; read it back as ``session.userdata``.
        aec_warmup_duration: seconds of the first speech in which voice does not interrupt, while the echo canceller
            adapts; 3.0 if there is audio out, None for none.
        expressive: let the model steer how the voice speaks, where the voice has markers for that (``TTS.markup``); a
            dict says in which manner.
        ivr_detection: calls may reach a telephone menu: when it and the agent wait for each other for 5 s, or it says
            the same again and again, the model is asked for a reply; where keys can be pressed it has a tool for that.
        user_away_timeout: seconds in which nobody speaks until the user counts as away; None: never.
        transcription_timeout: seconds after speech in which a transcript must come; None: no limit.
        session_close_transcript_timeout: seconds a closing session waits for the last transcript.
        conn_options: retries, timeouts, and how many failures end the session.
        loop: the loop that :meth:`start` will be called on; the running one if not given.
        actors: drop-in actors.
        journal: records the session, so that it can be run again: a :class:`.Journal`, a :class:`.BlackBox`,
            or several of them.
        monitors: look after each message whether the runtime keeps its promises, and tell if not: a :class:`.Monitors`.
        telemetry: sums up, traces and reports what the session does: a :class:`.Telemetry`, which may be that of all.
        system: the actor system to run in; a shared one if not given.
        turn_detection: deprecated, as all that follow: they are in ``turn_handling`` now.
        min_endpointing_delay: seconds of silence that end a turn.
        max_endpointing_delay: seconds of silence when the turn detector thinks that the user goes on.
        allow_interruptions: whether the user may cut the agent off.
        discard_audio_if_uninterruptible: do not recognise what is said over a protected speech.
        min_interruption_duration: seconds of speech that interrupt.
        min_interruption_words: words that interrupt.
        resume_false_interruption: go on with a speech that was interrupted without words.
        false_interruption_timeout: seconds of silence after which it goes on.
        agent_false_interruption_timeout: older name of the same.
        mcp_servers: servers of tools; ``tools=[MCPToolset(...)]`` now.
        keyterms_options: older spelling of ``stt_context_options``.
        preemptive_generation: start the reply while the turn may still go on.

    Raises:
        OptionError: an option is out of range, unknown, or contradicts another.
    """

    @property
    def agent_state(self) -> AgentState:
        """What the agent is doing, as of the last event delivered."""
        return self._mirror.agent_state

    @property
    def user_state(self) -> UserState:
        """What the user is doing, as of the last event delivered."""
        return self._mirror.user_state

    @property
    def current_speech(self) -> SpeechHandle | None:
        """The speech that has the floor."""
        return self._mirror.current

    @property
    def history(self) -> ChatContext:
        """A copy of the conversation so far."""
        return ChatContext(self._mirror.items)

    @property
    def usage(self) -> AgentSessionUsage:
        """What the session has used of each model so far; kept after the close, anew with the next start."""
        return self._mirror.usage

    @property
    def userdata(self) -> Userdata_T:
        """The user data given to the session.

        Raises:
            ValueError: none was given.
        """
        if self._userdata is NOT_GIVEN:
            raise ValueError("the session has no userdata: pass AgentSession(userdata=...) or assign it")
        return cast("Userdata_T", self._userdata)

    @userdata.setter
    def userdata(self, value: Userdata_T) -> None:
        self._userdata = value

    @property
    def pending_approvals(self) -> tuple[ToolApproval, ...]:
        """Tool calls that wait for somebody to approve or deny them, the longest wait first."""
        return self._approvals.pending

    @property
    def amd(self) -> AMD | None:
        """The detection of answering machines that is under way; None: there is none."""
        return self._amd

    @property
    def input(self) -> AgentInput:
        """What the session listens to."""
        return self._input

    @property
    def output(self) -> AgentOutput:
        """Where the session is heard."""
        return self._output

    @property
    def room_name(self) -> str:
        """Root of the paths of the session's actors; empty before the start."""
        return self._room_name
