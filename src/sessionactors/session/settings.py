"""The options of a session: read back, and changed while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sessionactors.actors.turn_rules import check_detector
from sessionactors.interfaces.interruption_detector import InterruptionDetector
from sessionactors.interfaces.realtime import AnyModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tool_server import ToolServer
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.messages.keyterms import SetKeyterms
from sessionactors.messages.session import ChangeOptions
from sessionactors.model.errors import OptionError
from sessionactors.model.expressive import ExpressiveOptions, expressive_of
from sessionactors.model.options import SessionConnectOptions, TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .deprecations import warn_deprecated
from .mcp_servers import servers_of
from .session_link import SessionLink, Userdata_T
from .session_options import AgentSessionOptions
from .stt_context import as_given, checked_keyterms
from .tool import AnyTool
from .turn_handling import EndpointingOptions, group_flattened


class Settings(SessionLink[Userdata_T]):
    """The options of a session."""

    @property
    def options(self) -> AgentSessionOptions:
        """The options as they are now. An agent's own take their place while it is in charge."""
        return AgentSessionOptions(self._options, as_given(self._recognition))

    @property
    def conn_options(self) -> SessionConnectOptions:
        """Retries and timeouts of each kind of provider, and how many failures end the session."""
        options = self._options
        return SessionConnectOptions(
            options.stt_conn_options,
            options.llm_conn_options,
            options.tts_conn_options,
            options.max_unrecoverable_errors,
        )

    @property
    def turn_detection(self) -> TurnDetection:
        """Who says that a turn is over: a mode, a detector, or None: whatever the components allow."""
        detection = self._options.turn_detection
        return given(detection, None)

    @property
    def keyterms(self) -> list[str]:
        """Words that the recogniser is told to expect: those that were given, and those found in the conversation."""
        return list(self._mirror.keyterms if self._root is not None else self._recognition.keyterms)

    @property
    def stt(self) -> STT | None:
        """The session's recogniser; an agent may have its own."""
        return self._stt

    @property
    def llm(self) -> AnyModel | None:
        """The session's model; an agent may have its own."""
        return self._llm

    @property
    def tts(self) -> TTS | None:
        """The session's voice; an agent may have its own."""
        return self._tts

    @property
    def vad(self) -> VAD | None:
        """The session's voice activity detection, the one provided included; an agent may have its own."""
        return self._vad or self._default_vad

    @property
    def mcp_servers(self) -> list[ToolServer]:
        """The servers of tools that the session was given."""
        return servers_of(self._tools)

    @property
    def tools(self) -> list[AnyTool]:
        """The session's tools; those of the agent in charge come behind them."""
        return list(self._tools)

    @property
    def interruption_detection(self) -> InterruptionDetector | None:
        """What tells interruptions from listening noises; None: any voice that is long enough interrupts."""
        mode = self._options.interruption_mode
        return mode if isinstance(mode, InterruptionDetector) else None

    def update_options(
        self,
        *,
        endpointing_opts: NotGivenOr[EndpointingOptions] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN,
        keyterms: NotGivenOr[Sequence[str]] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change options, also while the session runs. They stay when another agent takes over.

        What is waiting for a changed delay waits for the new one. An agent's own options still take precedence.

        Args:
            endpointing_opts: when a turn ends; keys that are absent stay as they are.
            turn_detection: who says so. None: silence alone.
            keyterms: words to expect, in place of those given before; words found in the conversation stay.
            expressive: whether the model steers the voice, from the next reply on.
            min_endpointing_delay: deprecated, as ``endpointing_opts["min_delay"]``.
            max_endpointing_delay: deprecated, as ``endpointing_opts["max_delay"]``.

        Raises:
            OptionError: a value is out of range or contradicts another; nothing is changed then.
        """
        changes = {} if endpointing_opts is NOT_GIVEN else group_flattened("endpointing", endpointing_opts)
        old = {
            name: (key, value)
            for name, key, value in (
                ("min_endpointing_delay", "min_delay", min_endpointing_delay),
                ("max_endpointing_delay", "max_delay", max_endpointing_delay),
            )
            if value is not NOT_GIVEN
        }
        if twice := sorted(set(changes) & set(old)):
            raise OptionError(f"{', '.join(twice)}: given both flat and in endpointing_opts; give each once")
        changes |= {name: value for name, (_, value) in old.items()}
        if expressive is not NOT_GIVEN:
            changes["expressive"] = expressive_of(expressive)
        if turn_detection is not NOT_GIVEN:
            changes["turn_detection"] = turn_detection
        terms = self._recognition.keyterms if keyterms is NOT_GIVEN else checked_keyterms(keyterms)
        self._change_options(changes)
        if terms != self._recognition.keyterms:
            self._change_keyterms(terms)
        for name, (key, _) in old.items():
            warn_deprecated(f"update_options({name}=...)", f"endpointing_opts[{key!r}]")

    def _change_keyterms(self, terms: tuple[str, ...]) -> None:
        self._recognition = replace(self._recognition, keyterms=terms)
        if self._root is not None:
            self._root.tell(SetKeyterms(terms))
        if self._wiring is None or self._wiring.keyterms is None:
            self._mirror.keyterms = terms  # nobody else tells it

    def _change_options(self, changes: dict[str, object]) -> None:
        if not changes:
            return
        options = self._options.changed(changes)
        check_detector(options, self._vad)
        self._options = options
        if self._root is not None:
            self._root.tell(ChangeOptions(changes))
