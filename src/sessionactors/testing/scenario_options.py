"""The options of a scenario's session, by the names of their fields."""

from __future__ import annotations

from sessionactors.model.errors import OptionError
from sessionactors.session.turn_handling import PLACES, grouped


def as_given(options: dict[str, object]) -> dict[str, object]:
    """Options by the names of their fields, as a session takes them. Replies are prepared if a script says so."""
    quiet = {"enabled": False}
    if isinstance(turns := options.get("turn_handling"), dict):
        options = {**options, "turn_handling": {"preemptive_generation": quiet, **turns}}
    else:
        options = {"preemptive_generation": False, **options}
    about_turns = {name: value for name, value in options.items() if name in PLACES}
    others: dict[str, object] = {name: value for name, value in options.items() if name not in PLACES}
    if about_turns:
        if "turn_handling" in others:
            raise OptionError(f"{', '.join(about_turns)}: give the options about turns by name or as turn_handling")
        others["turn_handling"] = grouped(about_turns)
    return {"aec_warmup_duration": None, **others}
