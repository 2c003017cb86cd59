"""``RealtimeModel``: OpenAI's speech-to-speech models, as a session's ``llm``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal
from weakref import WeakSet

import openai

from sessionactors.interfaces import realtime as port
from sessionactors.interfaces.realtime import Modality, RealtimeCapabilities
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr
from sessionactors.model.tools import ToolChoice
from sessionactors.providers.openai.clients import ApiKey, Clients, clients_for

from .connection import Connection
from .session import RealtimeSession
from .session_settings import SEMANTIC_VAD, TRANSCRIPTION, Setting, Settings

OLDEST_SESSION = 20 * 60.0
"""Seconds after which a connection is replaced between two turns: the vendor ends it at any moment."""


class RealtimeModel(port.RealtimeModel):
    """A speech-to-speech model over OpenAI's realtime API (the released protocol), or a server that speaks the same.

    One object may serve any number of rooms; each has a connection of its own. Attempts to reconnect, and the pauses
    between them, are those of the session's ``llm_conn_options``.

    Args:
        model: its name there.
        voice: of its replies. It cannot change any more when it has been heard.
        modalities: with ``"audio"`` it speaks; ``["text"]``: it writes, and a TTS beside it speaks.
        input_audio_transcription: how the user's words are made out, as one of the SDK's types or as in JSON; None: not
            at all; not given: by ``gpt-4o-mini-transcribe``.
        input_audio_noise_reduction: ``"near_field"`` or ``"far_field"``, or as in the vendor's reference; None: none.
        turn_detection: ``server_vad`` or ``semantic_vad`` as in the vendor's reference; None: turns are found on this
            side; not given: ``semantic_vad``, which the session may turn off.
        tool_choice: for replies that are asked for without one.
        speed: of the voice, 0.25..1.5.
        max_response_output_tokens: > 0, or ``"inf"``.
        tracing, truncation, reasoning: as in the vendor's reference; None: the server's default.
        include: what the server tells besides, such as ``"item.input_audio_transcription.logprobs"``, from which the
            confidence of transcripts is made.
        max_session_duration: seconds after which the connection is replaced, between two turns, with the conversation
            put in again as text; None: only when the vendor ends it.
        api_key: a key, or a coroutine function that gives the one of the moment; None: ``OPENAI_API_KEY``.
        base_url: the endpoint, such as ``http://localhost:8000/v1``; None: ``OPENAI_BASE_URL``, or OpenAI's.
        client: a client of your own instead, used on your loop, closed by you.
        azure_deployment: a deployment at Azure, served by the protocol of OpenAI; the address is ``base_url``, or
            ``AZURE_OPENAI_ENDPOINT``, and the key ``api_key``, or ``AZURE_OPENAI_API_KEY``.
        entra_token: a token of Azure's directory instead of a key.
        timeout: seconds that a handshake of the SDK may take; a backstop, the session's deadlines come first.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; or a value out of range.
    """

    def __init__(
        self,
        *,
        model: str = "gpt-realtime",
        voice: str = "marin",
        modalities: Sequence[Modality] = ("text", "audio"),
        input_audio_transcription: NotGivenOr[Setting | None] = NOT_GIVEN,
        input_audio_noise_reduction: Literal["near_field", "far_field"] | Setting | None = None,
        turn_detection: NotGivenOr[Setting | None] = NOT_GIVEN,
        tool_choice: ToolChoice = "auto",
        speed: float = 1.0,
        max_response_output_tokens: int | Literal["inf"] = "inf",
        tracing: Literal["auto"] | Setting | None = None,
        truncation: Literal["auto", "disabled"] | Setting | None = None,
        reasoning: Setting | None = None,
        include: Sequence[str] = (),
        max_session_duration: float | None = OLDEST_SESSION,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        client: openai.AsyncOpenAI | None = None,
        azure_deployment: str | None = None,
        entra_token: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        if max_session_duration is not None and max_session_duration <= 0:
            raise OptionError(f"max_session_duration must be positive or None, got {max_session_duration}")
        self._settings = Settings(
            voice=voice,
            modalities=tuple(modalities),
            turn_detection=SEMANTIC_VAD if isinstance(turn_detection, NotGiven) else turn_detection,
            input_audio_transcription=(
                TRANSCRIPTION if isinstance(input_audio_transcription, NotGiven) else input_audio_transcription
            ),
            input_audio_noise_reduction=_noise_reduction(input_audio_noise_reduction),
            tool_choice=tool_choice,
            speed=speed,
            max_response_output_tokens=max_response_output_tokens,
            tracing=tracing,
            truncation=truncation,
            reasoning=reasoning,
            include=tuple(include),
        )
        self.label = "openai.RealtimeModel"
        if azure_deployment is not None or entra_token is not None:
            if client is not None:
                raise OptionError("client has its own address: name the deployment as model= then")
            base_url, api_key = _azure(base_url, api_key, entra_token)
        self.model = azure_deployment or model
        self._clients: Clients = clients_for(
            self.label, api_key=api_key, base_url=base_url, client=client, timeout=timeout
        )
        self.provider = self._clients.provider
        self.home = self._clients.home
        self._may_turn_off = isinstance(turn_detection, NotGiven)
        self._max_session_duration = max_session_duration
        self._sessions: WeakSet[RealtimeSession] = WeakSet()

    def __repr__(self) -> str:
        return f"<{self.label} {self.model} at {self.provider}>"

    @property
    def capabilities(self) -> RealtimeCapabilities:
        settings = self._settings
        return RealtimeCapabilities(
            message_truncation=True,
            turn_detection=settings.server_takes_turns,
            user_transcription=settings.input_audio_transcription is not None,
            auto_tool_reply_generation=False,
            audio_output=settings.speaks,
            can_disable_turn_detection=self._may_turn_off,
            mutable_chat_context=True,
            mutable_instructions=True,
            mutable_tools=True,
            per_response_tool_choice=True,
        )

    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession:
        settings = self._settings.changed(turn_detection=None) if turn_detection_disabled else self._settings
        session = RealtimeSession(self.label, settings, self._max_session_duration, self._connection)
        self._sessions.add(session)
        return session

    async def _connection(self) -> Connection:
        return await Connection.made(await self._clients.here(), self.model, self.label)

    def update_options(
        self,
        *,
        voice: NotGivenOr[str] = NOT_GIVEN,
        turn_detection: NotGivenOr[Setting | None] = NOT_GIVEN,
        input_audio_transcription: NotGivenOr[Setting | None] = NOT_GIVEN,
        input_audio_noise_reduction: NotGivenOr[Literal["near_field", "far_field"] | Setting | None] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        speed: NotGivenOr[float] = NOT_GIVEN,
        max_response_output_tokens: NotGivenOr[int | Literal["inf"]] = NOT_GIVEN,
        tracing: NotGivenOr[Literal["auto"] | Setting | None] = NOT_GIVEN,
        truncation: NotGivenOr[Literal["auto", "disabled"] | Setting | None] = NOT_GIVEN,
        reasoning: NotGivenOr[Setting | None] = NOT_GIVEN,
    ) -> None:
        """Change options, also of the sessions that run. May be called from any thread.

        What a running session cannot change any more (such as the voice, when it has been heard) its server refuses: an
        ``error`` event of the session.

        Args:
            voice: as in the constructor.
            turn_detection: of a running session only its values; who detects turns stays as it is.
            input_audio_transcription: as in the constructor.
            input_audio_noise_reduction: as in the constructor.
            tool_choice: as in the constructor.
            speed: as in the constructor.
            max_response_output_tokens: as in the constructor.
            tracing: as in the constructor.
            truncation: as in the constructor.
            reasoning: as in the constructor.

        Raises:
            OptionError: a value is out of range.
        """
        if not isinstance(input_audio_noise_reduction, NotGiven):
            input_audio_noise_reduction = _noise_reduction(input_audio_noise_reduction)
        wanted: dict[str, object] = {
            "voice": voice,
            "turn_detection": turn_detection,
            "input_audio_transcription": input_audio_transcription,
            "input_audio_noise_reduction": input_audio_noise_reduction,
            "tool_choice": tool_choice,
            "speed": speed,
            "max_response_output_tokens": max_response_output_tokens,
            "tracing": tracing,
            "truncation": truncation,
            "reasoning": reasoning,
        }
        changes = {name: value for name, value in wanted.items() if not isinstance(value, NotGiven)}
        self._settings = self._settings.changed(**changes)
        for session in list(self._sessions):
            session.use_from_elsewhere(lambda settings: _changed_while_running(settings, changes))

    async def aclose(self) -> None:
        await self._clients.aclose()


def _changed_while_running(settings: Settings, changes: dict[str, object]) -> Settings:
    """A session that was made without the server's turn detection stays so, and one with it keeps some."""
    detection = changes.get("turn_detection")
    if "turn_detection" in changes and (detection is None) is not (settings.turn_detection is None):
        changes = {name: value for name, value in changes.items() if name != "turn_detection"}
    return settings.changed(**changes)


def _noise_reduction(given: Literal["near_field", "far_field"] | Setting | None) -> Setting | None:
    return {"type": given} if isinstance(given, str) else given


def _azure(base_url: str | None, api_key: ApiKey | None, entra_token: str | None) -> tuple[str, ApiKey]:
    """Address and credential of a resource at Azure, which serves OpenAI's own protocol under ``/openai/v1``."""
    endpoint = os.environ.get("AZURE_OPENAI_ENDPOINT")
    if base_url is None and not endpoint:
        raise OptionError("azure_deployment needs an address: pass base_url, or set AZURE_OPENAI_ENDPOINT")
    key = entra_token or api_key or os.environ.get("AZURE_OPENAI_API_KEY")
    if key is None:
        raise OptionError("azure_deployment needs api_key or entra_token: pass one, or set AZURE_OPENAI_API_KEY")
    return base_url or f"{(endpoint or '').rstrip('/')}/openai/v1", key
