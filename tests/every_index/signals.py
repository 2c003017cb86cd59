"""P9: any single signal of a provider or transport is lost, or goes wrong otherwise, or an actor dies, at any index."""

from __future__ import annotations

from functools import cache

from sessionactors import SessionActorsError
from sessionactors.runtime import MailboxFull
from sessionactors.testing import Broken, Run, faults
from sessionactors.testing.faults.strikes import Killed

from tests.every_index.talks import TALKS

STALL = 12.0
"""Seconds by which one fault may delay the end of the conversation: the longest provider deadline, and its retry."""
SLOWLY = ("drip", "fill")
"""What drips is not silent; what a full mailbox refused is named by the deadline of what was owed, 60 s for a reply."""
QUIETLY = frozenset({"transport.close", "transport.joined", "transport.connect"})
"""What goes wrong there is told by ``start()`` or ends the session."""


@cache
def undisturbed(talk: str) -> Run:
    """The conversation as it is without faults, its signals counted."""
    scenario = TALKS[talk]()
    scenario.inject()
    run = scenario.play()
    assert faults.broken(run) == []
    return run


def what_breaks(talk: str, fault: str, seed: int | None = None) -> list[str]:
    """What one fault breaks that could have been kept."""
    scenario = TALKS[talk]()
    scenario.inject(fault)
    try:
        run = scenario.play(seed)
    except MailboxFull as error:  # who asks by the API is told at once
        return [] if fault.startswith("fill") else [f"raised {error!r}"]
    except SessionActorsError as error:  # the session could not begin, and says so
        return [] if any(signal in fault for signal in QUIETLY) else [f"raised {error!r}"]
    except (Killed, AssertionError) as error:  # as it began
        return [] if fault.startswith("kill supervisor") else [f"raised {error!r}"]
    found = [str(one) for one in faults.broken(run) if not is_about_stubborn(one, talk)]
    if seed is None and not run.struck:
        found.append("the fault did not strike")
    late = run.ended_at - undisturbed(talk).ended_at
    if late > STALL and not run.errors and not fault.startswith(SLOWLY):
        found.append(f"P9: back to rest {late:.1f} s late, and no failure was named")
    return found


def is_about_stubborn(found: Broken, talk: str) -> bool:
    """A tool that ignores its cancellation is given up, and said to be."""
    return talk == "tools" and found.what.startswith(("abandoned", "left behind"))
