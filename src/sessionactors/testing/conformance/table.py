"""The conformance table: providers and checks, run and printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from sessionactors.model.errors import OptionError

from .check import Check, CheckOfRig, Checks
from .llm_checks import LLM_CHECKS, LLMRig
from .outcome import Outcome
from .realtime_checks import REALTIME_CHECKS, RealtimeRig
from .rig import Rig
from .stt_checks import STT_CHECKS, STTRig
from .transport_checks import TRANSPORT_CHECKS, TransportRig
from .tts_checks import TTS_CHECKS, TTSRig
from .vad_checks import VAD_CHECKS, VADRig

AnyRig: TypeAlias = "Rig[Any]"

CHECKS: Final[Mapping[str, Checks]] = {
    LLMRig.kind: LLM_CHECKS,
    STTRig.kind: STT_CHECKS,
    TTSRig.kind: TTS_CHECKS,
    VADRig.kind: VAD_CHECKS,
    RealtimeRig.kind: REALTIME_CHECKS,
    TransportRig.kind: TRANSPORT_CHECKS,
}
"""By kind of provider."""

MARKS: Final = {"ok": "ok", "failed": "FAILED", "not applicable": "-"}


def checks(*rigs: AnyRig) -> list[CheckOfRig]:
    """All checks of these providers, to be called or to parametrise a test with.

    ::

        @pytest.mark.parametrize("check", conformance.checks(RIG), ids=str)
        def test_acme_conforms(check):
            check()

    Raises:
        OptionError: a rig waives a check that there is not.
    """
    return [CheckOfRig(check, rig) for rig in rigs for check in _checks_of(rig)]


def _checks_of(rig: AnyRig) -> list[Check]:
    there_are = CHECKS[rig.kind].all
    if unknown := sorted(set(rig.waived) - {check.name for check in there_are}):
        raise OptionError(
            f"{rig.name} waives {', '.join(unknown)}: no check of {rig.kind} has that name; there are "
            f"{', '.join(check.name for check in there_are)}"
        )
    return there_are


@dataclass(frozen=True, slots=True)
class Row:
    """A provider and how its checks ended."""

    provider: str
    kind: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.result == "failed")


def run(rigs: Iterable[AnyRig], told: Callable[[str, Outcome], object] | None = None) -> list[Row]:
    """Run all checks of some providers, one after the other.

    Args:
        rigs: the providers.
        told: of each outcome when it is there, with the provider's name.
    """
    rows = []
    for rig in rigs:
        outcomes = []
        for check in checks(rig):
            outcomes.append(check.outcome())
            if told is not None:
                told(rig.name, outcomes[-1])
        rows.append(Row(rig.name, rig.kind, tuple(outcomes)))
    return rows


def as_text(rows: Sequence[Row]) -> str:
    """The table for people: a block for each kind, a line for each check, and below what failed or does not apply."""
    blocks = []
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        names = [outcome.check for outcome in of_kind[0].outcomes]
        width = max(map(len, names))
        head = f"{kind:<{width}}  " + "  ".join(row.provider for row in of_kind)
        lines = [head.rstrip(), "-" * len(head)]
        for index, name in enumerate(names):
            cells = (f"{MARKS[row.outcomes[index].result]:<{len(row.provider)}}" for row in of_kind)
            lines.append(f"{name:<{width}}  {'  '.join(cells)}".rstrip())
        blocks.append("\n".join([*lines, *_notes(of_kind)]))
    return "\n\n".join(blocks)


def _notes(rows: Sequence[Row]) -> list[str]:
    notes = [""]
    for row in rows:
        notes += [f"{row.provider}: {outcome.check} FAILED: {outcome.why}" for outcome in row.failed]
        reasons: dict[str, list[str]] = {}
        for outcome in row.outcomes:
            if outcome.result == "not applicable":
                reason, colon, what = outcome.why.partition(": ")
                reasons.setdefault(reason if colon else outcome.why, []).append(what or outcome.check)
        notes += [f"{row.provider}: not applicable: {why}: {', '.join(what)}" for why, what in reasons.items()]
        good = sum(outcome.result == "ok" for outcome in row.outcomes)
        left = len(row.outcomes) - good - len(row.failed)
        notes.append(f"{row.provider}: {good} ok, {len(row.failed)} failed, {left} not applicable")
    return notes


def as_json(rows: Sequence[Row]) -> str:
    """The table for programs."""
    return json.dumps([asdict(row) for row in rows], indent=2)
