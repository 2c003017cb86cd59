"""Tools in strict mode: what is offered, and what the tool sees of the answer."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from sessionactors import function_tool
from sessionactors.model.tools import JsonValue, ToolDefinition
from sessionactors.providers.openai.chat_messages import OfferedTools
from sessionactors.providers.openai.strict_schema import strict, without_nulls

from tests.wire.openai_rules import check_function


class Place(BaseModel):
    city: str
    kind: Literal["home", "work"]


class Loose(BaseModel):
    city: str
    note: str = ""


class Tree(BaseModel):
    name: str
    children: list[Tree]


@function_tool
async def book(
    place: Place, seats: int, others: list[Place], note: str = "none", until: str | None = None, days: int = 3
) -> None:
    """Book a table.

    Args:
        place: where it is
    """


@function_tool
async def grow(tree: Tree) -> None:
    """Grow a tree."""


@function_tool
async def now() -> None:
    """Tell the time."""


@function_tool
async def loosely(place: Loose) -> None:
    """Book somehow."""


@function_tool
async def freely(values: dict[str, str]) -> None:
    """Take anything."""


@pytest.mark.parametrize("tool", [book, grow, now])
def test_the_strict_form_is_what_the_api_takes(tool: Any) -> None:
    (offered,) = OfferedTools([tool.definition], strict=True).offered
    function: Any = offered["function"]
    assert function["strict"] is True
    check_function(function)


def test_what_may_be_left_out_may_be_null_and_is_left_out_again() -> None:
    form = strict(book.definition.parameters)
    assert form is not None
    assert form.optional == {"note", "days"}  # `until` takes null itself
    sent = {"place": {"city": "Bern", "kind": "home"}, "seats": 2, "others": [], "note": None, "until": None, "days": 1}
    kept = OfferedTools([book.definition], strict=True).arguments("book", json.dumps(sent))
    assert json.loads(kept) == {key: value for key, value in sent.items() if key != "note"}


@pytest.mark.parametrize("tool", [loosely, freely])
def test_a_schema_that_has_no_strict_form_is_sent_as_it_is(tool: Any) -> None:
    (offered,) = OfferedTools([tool.definition], strict=True).offered
    function: Any = offered["function"]
    assert "strict" not in function
    assert function["parameters"] == tool.definition.parameters


OBJECT: dict[str, Any] = {"type": "object", "required": ["x"]}


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "string"},
        {**OBJECT, "properties": {"x": {"oneOf": [{"type": "string"}]}}},
        {**OBJECT, "properties": {"x": {}}},
        {**OBJECT, "properties": {"x": True}},
        {**OBJECT, "properties": {"x": {"type": "string"}}, "additionalProperties": True},
        {**OBJECT, "properties": {"x": {"type": "array"}}},
        {**OBJECT, "properties": {"x": {"$ref": "#/$defs/Gone", "description": "what"}}},
        {**OBJECT, "properties": []},
        {"type": "object", "$defs": [1]},
    ],
)
def test_schemas_of_others_that_cannot_be_said(parameters: dict[str, Any]) -> None:
    assert strict(parameters) is None


def test_bounds_that_strict_mode_does_not_know_are_left_to_the_tool() -> None:
    dropped: dict[str, JsonValue] = {"minLength": 2, "title": "X", "format": "uri", "default": "aa"}
    said: dict[str, JsonValue] = {"type": "string", "pattern": "a+", **dropped}
    form = strict({**OBJECT, "properties": {"x": said, "y": {"type": "string", "format": "date"}}})
    assert form is not None
    assert form.schema["properties"] == {
        "x": {"type": "string", "pattern": "a+"},
        "y": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    }


def test_a_type_that_lists_null_takes_null() -> None:
    form = strict({"type": "object", "properties": {"x": {"type": ["string", "null"]}}})
    assert form is not None
    assert form.optional == frozenset()


@pytest.mark.parametrize("arguments", ["{null", "[null]", '{"x": 1}', '{"y": null}'])
def test_arguments_that_cannot_be_read_or_have_nothing_to_leave_out_stay(arguments: str) -> None:
    assert without_nulls(arguments, frozenset({"x"})) == arguments


def test_tools_that_the_server_runs_are_sent_as_they_say() -> None:
    search = ToolDefinition("search", "", {}, server_side={"type": "web_search"})
    offered: list[Any] = OfferedTools([search], strict=True).offered
    assert offered == [{"type": "web_search"}]
