"""An answer of a model that a program can read: it must call one tool, and its arguments are the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pydantic

from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolDefinition

if TYPE_CHECKING:
    from sessionactors.interfaces.llm import LLM

Form_T = TypeVar("Form_T", bound=pydantic.BaseModel)


async def filled_form(llm: LLM, instructions: str, question: str, tool: str, about: str, form: type[Form_T]) -> Form_T:
    """What the model hands in.

    Args:
        llm: the model; it must be able to call tools.
        instructions: what it is, as a system message.
        question: what it is asked.
        tool: name of the tool that it hands the form in with.
        about: what the tool does, for the model.
        form: what it has to fill in.

    Raises:
        APIError: the model could not be asked, called nothing, or what it handed in is not the form.
    """
    context = ChatContext.empty()
    context.add_message(role="system", content=instructions)
    context.add_message(role="user", content=question)
    definition = ToolDefinition(tool, about, form.model_json_schema())
    async with llm.chat(chat_ctx=context, tools=(definition,), tool_choice="required") as stream:
        calls = [call async for chunk in stream for call in chunk.tool_calls]
    for call in calls:
        if call.name == tool:
            try:
                return form.model_validate_json(call.arguments)
            except pydantic.ValidationError as error:
                why = f"what {llm.label} gave to {tool} cannot be read: {call.arguments!r}"
                raise APIError(why, retryable=False) from error
    raise APIError(f"{llm.label} did not call {tool}; use a model that calls tools", retryable=False)
