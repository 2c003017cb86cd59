"""Schemas of tools in the form that OpenAI's strict mode takes: then the model's arguments always fit. Pure.

Strict mode wants every property required and nothing besides. A parameter that may be left out is therefore offered as
one that may be null; a null that comes for it is left out again (:func:`without_nulls`), so that the tool sees what it
would have seen. A schema that cannot be said in this form is sent as it is, and not strict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sessionactors.model.tools import JsonValue

_Schema = dict[str, JsonValue]

_KEPT: Final = frozenset(
    {"type", "description", "enum", "const", "pattern", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
"""What strict mode knows of the values; other bounds are left to the tool's own validation."""
_FORMATS: Final = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_UNSAYABLE: Final = frozenset(
    {"oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "prefixItems"}
    | {"patternProperties"}
)


@dataclass(frozen=True, slots=True)
class StrictSchema:
    """A schema for strict mode."""

    schema: Mapping[str, JsonValue]
    optional: frozenset[str]
    """Parameters for which a null means that they were left out."""


class _CannotBeSaidError(Exception):
    """Raised when a schema has no strict form."""


def strict(parameters: Mapping[str, JsonValue]) -> StrictSchema | None:
    """The strict form of a tool's parameters; None: there is none.

    Args:
        parameters: JSON schema of an object.
    """
    definitions = parameters.get("$defs") or {}
    if not isinstance(definitions, dict) or parameters.get("type") != "object":
        return None
    properties = parameters.get("properties", {})
    required = parameters.get("required") or []
    if not isinstance(properties, dict) or not isinstance(required, list):
        return None
    optional: set[str] = set()
    try:
        strict_properties: _Schema = {}
        for name, schema in properties.items():
            made = _strict(schema, definitions)
            if name not in required and not _takes_null(made):
                optional.add(name)
                made = {"anyOf": [made, {"type": "null"}]}
            strict_properties[name] = made
        made = _object(parameters, strict_properties)
        if definitions:
            made["$defs"] = {name: _strict(schema, definitions) for name, schema in definitions.items()}
    except _CannotBeSaidError:
        return None
    return StrictSchema(made, frozenset(optional))


def without_nulls(arguments: str, optional: frozenset[str]) -> str:
    """The arguments without the parameters that were left out.

    Args:
        arguments: JSON object as text; what is none stays as it is.
        optional: see :attr:`StrictSchema.optional`.
    """
    if not optional or "null" not in arguments:
        return arguments
    try:
        values = json.loads(arguments)
    except ValueError:
        return arguments
    if not isinstance(values, dict):
        return arguments
    kept = {name: value for name, value in values.items() if value is not None or name not in optional}
    return arguments if len(kept) == len(values) else json.dumps(kept)


def _strict(schema: JsonValue, definitions: Mapping[str, JsonValue], inside: tuple[str, ...] = ()) -> _Schema:
    if not isinstance(schema, dict) or _UNSAYABLE & schema.keys():
        raise _CannotBeSaidError
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _referred(reference, schema, definitions, inside)
    made: _Schema = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("format") in _FORMATS:
        made["format"] = schema["format"]
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        made["anyOf"] = [_strict(choice, definitions, inside) for choice in choices]
    elif schema.get("type") == "object":
        return _nested_object(schema, definitions, inside)
    elif schema.get("type") == "array":
        made["items"] = _strict(schema.get("items"), definitions, inside)
    elif "type" not in schema and not {"enum", "const"} & schema.keys():
        raise _CannotBeSaidError  # anything at all
    return made


def _referred(
    reference: str, schema: _Schema, definitions: Mapping[str, JsonValue], inside: tuple[str, ...]
) -> _Schema:
    """A reference stands alone in strict mode; one with words of its own is written out."""
    name = reference.removeprefix("#/$defs/")
    said = {key: value for key, value in schema.items() if key == "description"}
    if not said:
        return {"$ref": reference}
    if name in inside or name not in definitions:
        raise _CannotBeSaidError
    return {**_strict(definitions[name], definitions, (*inside, name)), **said}


def _nested_object(schema: _Schema, definitions: Mapping[str, JsonValue], inside: tuple[str, ...]) -> _Schema:
    properties = schema.get("properties")
    required = schema.get("required") or []
    if not isinstance(properties, dict) or not isinstance(required, list) or set(required) != set(properties):
        raise _CannotBeSaidError  # free keys, or keys that may be missing deep inside
    return _object(schema, {name: _strict(value, definitions, inside) for name, value in properties.items()})


def _object(schema: Mapping[str, JsonValue], properties: _Schema) -> _Schema:
    if schema.get("additionalProperties", False) is not False:
        raise _CannotBeSaidError
    made: _Schema = {key: value for key, value in schema.items() if key in ("type", "description")}
    return {**made, "properties": properties, "required": list(properties), "additionalProperties": False}


def _takes_null(schema: _Schema) -> bool:
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        return any(isinstance(choice, dict) and _takes_null(choice) for choice in choices)
    kind = schema.get("type")
    return kind == "null" or (isinstance(kind, list) and "null" in kind)
