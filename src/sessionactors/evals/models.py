"""The models that an eval file names: who answers in place of the agent's own, and who judges."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Final

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import AnyModel, RealtimeModel
from sessionactors.model.errors import OptionError

from .reading import Evals
from .scenario_file import Conversation
from .scripted_model import AnswersFromFile

OWN: Final = "own"
OFFLINE: Final = "offline"
ELSEWHERE: Final = ("sessionactors.providers.openai", "sessionactors.providers.livekit_plugins", "livekit.")
"""Where the models are made that talk to a network."""


class ModelNotUsable(OptionError):
    """Raised when a model that a file names is not there, is none, or cannot be asked in virtual time."""


class Models:
    """Those of one conversation.

    Args:
        evals: the file.
    """

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self._own: LLM | None = None
        self.model: LLM | None = None
        """In place of the agent's; None: the agent's own, or the file's answers."""
        self._judge: LLM | None = None

    def prepare(self, conversation: Conversation, wanted: str | None) -> None:
        """Find the models: who answers, and who judges. Imports modules: not on a loop.

        Args:
            conversation: what is to be held.
            wanted: in place of what the file says.

        Raises:
            ModelNotUsable: there is none of that name.
        """
        name = wanted or conversation.llm or (None if conversation.scripted else self._evals.file.llm)
        match name:
            case None | "own":
                self.model = None
            case "offline":
                from sessionactors.providers import offline  # noqa: PLC0415  an extra

                self.model = offline.RuleBasedLLM(offline.FRONT_DESK)
            case _:
                self.model = self._named(name)
        judge = self._evals.file.judge
        if judge is not None and judge.llm != OWN:
            self._judge = self._named(judge.llm)

    def check(self, own: AnyModel | None, *, real_time: bool) -> None:
        """Look at the model that the session has.

        Raises:
            ModelNotUsable: it would have to wait for a network, and the time is virtual.
        """
        self._own = own if isinstance(own, LLM) else None
        if real_time or own is None:
            return
        if isinstance(own, RealtimeModel) or type(own).__module__.startswith(ELSEWHERE):
            raise ModelNotUsable(
                f"the agent's own model ({own.label}) is somewhere else, and virtual time cannot wait for it: give the "
                "conversation answers, or llm: offline, or llm: MODULE:NAME; or run it with --real-time"
            )

    def judge(self) -> LLM:
        """Who judges: found before, or the agent's own model.

        Raises:
            ModelNotUsable: the own one is wanted, and is not used.
        """
        if self._judge is not None:
            return self._judge
        if self._own is None or self.model is not None or isinstance(self._own, AnswersFromFile):
            raise ModelNotUsable(
                f"{self._evals.path}: judge: own, and the agent's own model is not used here: run it with --real-time "
                "--llm own, or name another judge: MODULE:NAME"
            )
        return self._own

    def _named(self, name: str) -> LLM:
        """A model, or what a function that takes nothing makes."""
        module, colon, attribute = name.partition(":")
        if not colon or not attribute:
            raise ModelNotUsable(f"{self._evals.path}: llm {name!r}: there are own, offline, or MODULE:NAME")
        for folder in (str(Path.cwd()), str(self._evals.path.parent.absolute())):
            if folder not in sys.path:  # a console script does not look where it is run, nor beside the file
                sys.path.append(folder)
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ModelNotUsable(f"{self._evals.path}: llm {name!r}: {error}") from error
        made = found() if inspect.isfunction(found) or inspect.isclass(found) else found
        if not isinstance(made, LLM):
            raise ModelNotUsable(f"{self._evals.path}: llm {name!r} is no LLM and makes none, but {made!r}")
        return made
