"""A speech-to-speech model of livekit.agents."""

from __future__ import annotations

from livekit.agents import llm

from sessionactors.interfaces import realtime as port
from sessionactors.interfaces.home import Home
from sessionactors.model.errors import OptionError

from .realtime_generation import SAMPLE_RATE
from .realtime_session import PluginRealtimeSession


class PluginRealtimeModel(port.RealtimeModel):
    """Converses through a plugin's model.

    Args:
        plugin: the user's object.

    Raises:
        OptionError: it is livekit's adapter for fallbacks, which needs livekit's own session.
    """

    home = Home.USER

    def __init__(self, plugin: llm.RealtimeModel) -> None:
        if isinstance(plugin, llm.RealtimeModelFallbackAdapter):
            raise OptionError(
                f"{plugin.label} drives livekit's own AgentSession when it changes models: give one of its models; "
                "sessionactors.providers.adapters.realtime.FallbackAdapter is for several"
            )
        self.plugin = plugin
        self.label = plugin.label
        self.model = plugin.model
        self.provider = plugin.provider

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}>"

    @property
    def capabilities(self) -> port.RealtimeCapabilities:
        can = self.plugin.capabilities
        return port.RealtimeCapabilities(
            message_truncation=can.message_truncation,
            turn_detection=can.turn_detection,
            user_transcription=can.user_transcription,
            auto_tool_reply_generation=can.auto_tool_reply_generation,
            audio_output=can.audio_output,
            manual_function_calls=can.manual_function_calls,
            can_disable_turn_detection=can.can_disable_turn_detection,
            mutable_chat_context=can.mutable_chat_context,
            mutable_instructions=can.mutable_instructions,
            mutable_tools=can.mutable_tools,
            per_response_tool_choice=can.per_response_tool_choice,
            supports_say=can.supports_say,
        )

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    def session(self, *, turn_detection_disabled: bool = False) -> PluginRealtimeSession:
        return PluginRealtimeSession(self.plugin, turn_detection_disabled=turn_detection_disabled)

    async def aclose(self) -> None:
        await self.plugin.aclose()
