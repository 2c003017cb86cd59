"""The conversation: one writer, immutable versions; the session's history, and what each agent remembers."""

from __future__ import annotations

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.model.chat import AgentHandoff, ChatItem, FunctionCall
from sessionactors.runtime import Ref, message


@message()
class AppendItems:
    """Add items at the end, in this order. To ``history``."""

    items: tuple[ChatItem, ...]
    add_to_context: bool = True
    """Whether the model will see them."""
    agent: str = ""
    """Key of the agent whose context they enter; the one in charge if empty."""
    had_by_model: bool = False
    """A realtime model knows of them, in its own way: it is not told."""
    in_history: bool = True
    """False: the history has them already; only the context gets them."""
    by_time: bool = False
    """They became known late: each is placed by its ``created_at``, before what came after it."""
    since: int | None = None
    """When they began to be said, kernel clock, ns: what users said since then stands behind them. None: now."""


@message()
class ContextSnapshot:
    """The context of an agent as it is at this version. ``history`` to who asked."""

    request: str
    version: int
    items: tuple[ChatItem, ...]
    agent: UserAgent
    """Its newest revision: instructions, tools and providers go with the context."""


@message()
class ContextWanted:
    """Tell me the context of an agent, all changes before this included. To ``history``."""

    request: str
    reply_to: Ref[ContextSnapshot]
    agent: str = ""
    """Its key; the one in charge if empty."""


@message()
class AgentTakesOver:
    """An agent is in charge from here on: note it, and open its context if it is new. ``agent`` to ``history``."""

    agent: UserAgent
    handoff: AgentHandoff
    gone: tuple[str, ...] = ()
    """Keys of agents that have left for good: what they remember is theirs again."""


@message()
class AgentRevised:
    """An agent has been changed: its next request is made with this. ``agent`` to ``history``."""

    agent: UserAgent
    items: tuple[ChatItem, ...] = ()
    """Records of the change, for its context and the history."""
    ticket: str = ""
    """Under which the session is told that it is done."""


@message()
class ReplaceContext:
    """This is what an agent remembers from now on; the history stays. ``agent`` to ``history``."""

    agent: str
    items: tuple[ChatItem, ...]
    ticket: str = ""


@message()
class MergeContext:
    """An agent learns what another one remembers, but for its instructions. ``agent`` to ``history``."""

    agent: str
    source: str
    with_calls: bool
    """Also the tools that were called."""
    ticket: str = ""


@message()
class HistoryChanged:
    """Items were added. ``history`` to ``supervisor``."""

    version: int
    added: tuple[ChatItem, ...]
    at: int | None = None
    """The place of the first of them; None: the end."""


@message()
class ContextChanged:
    """An agent remembers more, or something else. ``history`` to ``supervisor``, for its mirror."""

    agent: str
    items: tuple[ChatItem, ...]
    replaced: bool
    """These are all of them; else they came to the end."""
    ticket: str = ""
    """Of the change that was asked for, if one was."""


@message()
class CallRuns:
    """A tool runs: until its output is added, contexts show it as in progress. ``tools`` to ``history``."""

    call: FunctionCall
    agent: str
    """Key of the agent whose model made the call; empty: every agent sees it."""
