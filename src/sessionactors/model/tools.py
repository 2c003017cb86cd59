"""What a model is told about a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

ToolChoice: TypeAlias = Literal["auto", "required", "none"]

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """Name, purpose and parameters of a tool, as sent to a model."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    """JSON schema of the arguments object."""
