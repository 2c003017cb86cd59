"""Play a conversation again: ``python -m sessionactors.testing.generated 17 --seed 3 --fault "kill tts@5"``."""

from __future__ import annotations

import argparse
import sys

from sessionactors.testing import faults

from .conversation import Conversation
from .drawing import numbered
from .shrinking import shrunk


def main() -> int:
    """0: every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m sessionactors.testing.generated", description=__doc__)
    parser.add_argument("number", type=int, help="of the conversation")
    parser.add_argument("--seed", type=int, default=None, help="of the schedule; without: as in production")
    parser.add_argument("--fault", action="append", default=[], help="to be injected, any number of them")
    parser.add_argument("--shrink", action="store_true", help="make a broken one smaller")
    given = parser.parse_args()

    def found(conversation: Conversation) -> list[str]:
        scenario = conversation.scenario()
        scenario.inject(*given.fault)
        try:
            return [str(one) for one in faults.broken(scenario.play(given.seed))]
        except Exception as error:  # noqa: BLE001  what the run raises is what was found
            return [repr(error)]

    conversation = numbered(given.number)
    broken = found(conversation)
    if broken and given.shrink:
        promise = broken[0].split(":")[0]
        conversation = shrunk(conversation, lambda smaller: any(one.startswith(promise) for one in found(smaller)))
        broken = found(conversation)
    told = [repr(conversation), *(broken or ["every promise was kept"])]
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
