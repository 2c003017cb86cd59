"""Servers that speak OpenAI's Chat Completions: where they are, whose key they want, and where they differ."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from sessionactors.model.errors import OptionError

from .clients import NO_KEY


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, or one kind of server."""

    name: str
    """As people write it."""
    base_url: str
    model: str = ""
    """Asked when none is named; empty: one has to be named."""
    key: str = ""
    """Environment variable of its key; empty: it needs none, as a server of one's own."""
    limit: str = "max_tokens"
    """What it calls the longest answer."""

    def api_key(self, given: str | None) -> str:
        """The key to send.

        Raises:
            OptionError: it needs one, and there is none.
        """
        key = given or (os.environ.get(self.key) if self.key else NO_KEY)
        if not key:
            raise OptionError(f"{self.name} needs an api_key: pass one, or set {self.key}")
        return key


CEREBRAS: Final = Endpoint(
    "Cerebras", "https://api.cerebras.ai/v1", "gpt-oss-120b", "CEREBRAS_API_KEY", "max_completion_tokens"
)
COMETAPI: Final = Endpoint("CometAPI", "https://api.cometapi.com/v1/", "gpt-5-chat-latest", "COMETAPI_API_KEY")
DEEPSEEK: Final = Endpoint("DeepSeek", "https://api.deepseek.com/v1", "deepseek-chat", "DEEPSEEK_API_KEY")
FIREWORKS: Final = Endpoint(
    "Fireworks",
    "https://api.fireworks.ai/inference/v1",
    "accounts/fireworks/models/llama-v3p3-70b-instruct",
    "FIREWORKS_API_KEY",
)
GROQ: Final = Endpoint(
    "Groq", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", "GROQ_API_KEY", "max_completion_tokens"
)
LETTA: Final = Endpoint("Letta", "https://api.letta.com/v1/chat/completions", "", "LETTA_API_KEY")
LLAMA_CPP: Final = Endpoint("llama.cpp", "http://localhost:8080/v1", "default")
NEBIUS: Final = Endpoint(
    "Nebius", "https://api.studio.nebius.com/v1/", "meta-llama/Meta-Llama-3.1-70B-Instruct", "NEBIUS_API_KEY"
)
OCTO: Final = Endpoint("OctoAI", "https://text.octoai.run/v1", "llama-2-13b-chat", "OCTOAI_TOKEN")
OLLAMA: Final = Endpoint("Ollama", "http://localhost:11434/v1", "llama3.1")
OPENROUTER: Final = Endpoint("OpenRouter", "https://openrouter.ai/api/v1", "auto", "OPENROUTER_API_KEY")
OVHCLOUD: Final = Endpoint(
    "OVHcloud AI Endpoints",
    "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
    "gpt-oss-120b",
    "OVHCLOUD_API_KEY",
)
PERPLEXITY: Final = Endpoint(
    "Perplexity", "https://api.perplexity.ai", "llama-3.1-sonar-small-128k-chat", "PERPLEXITY_API_KEY"
)
SAMBANOVA: Final = Endpoint("SambaNova", "https://api.sambanova.ai/v1", "DeepSeek-R1-0528", "SAMBANOVA_API_KEY")
TELNYX: Final = Endpoint(
    "Telnyx", "https://api.telnyx.com/v2/ai", "meta-llama/Meta-Llama-3.1-70B-Instruct", "TELNYX_API_KEY"
)
TOGETHER: Final = Endpoint(
    "Together AI", "https://api.together.xyz/v1", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "TOGETHER_API_KEY"
)
VLLM: Final = Endpoint("vLLM", "http://localhost:8000/v1", "", limit="max_completion_tokens")
X_AI: Final = Endpoint("xAI", "https://api.x.ai/v1", "grok-3-fast", "XAI_API_KEY", "max_completion_tokens")
