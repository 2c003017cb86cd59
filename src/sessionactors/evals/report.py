"""What came of trials, for people, for programs and for build servers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from .trial import Failure, Trial

_NOT_IN_XML: Final = {n: "\N{REPLACEMENT CHARACTER}" for n in range(32) if n not in {9, 10, 13}}
WIDTH: Final = 8


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one conversation passed."""

    path: str
    conversation: str
    trials: tuple[Trial, ...]

    @property
    def passed(self) -> int:
        """Trials that passed."""
        return sum(trial.passed for trial in self.trials)

    @property
    def all_passed(self) -> bool:
        """Whether there were trials, and all passed."""
        return bool(self.trials) and self.passed == len(self.trials)

    @property
    def rate(self) -> float:
        """0..1; 0.0 where nothing was tried."""
        return self.passed / len(self.trials) if self.trials else 0.0


def tallied(trials: Iterable[Trial]) -> list[Tally]:
    """The trials by conversation, in the order in which they came first; their seeds ascending."""
    by_name: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        by_name.setdefault((trial.path, trial.conversation), []).append(trial)
    return [
        Tally(path, name, tuple(sorted(found, key=lambda trial: trial.seed))) for (path, name), found in by_name.items()
    ]


def again(trial: Trial, llm: str | None = None) -> str:
    """The command that holds just this one."""
    options = ["--only", trial.conversation]
    if trial.seed:
        options += ["--seed", str(trial.seed)]
    if trial.real_time:
        options.append("--real-time")
    if llm is not None:
        options += ["--llm", llm]
    return shlex.join(["sessionactors", "eval", trial.path, *options])


def as_text(trial: Trial, llm: str | None = None) -> str:
    """One trial that failed: what was said, what was expected and what came, and how to hold it again."""
    lines = [f"{trial.path}:{trial.line}: {trial.conversation}" + (f" (seed {trial.seed})" if trial.seed else "")]
    lines += [f"  {line.at:7.2f} s  {line.who:>{WIDTH}}  {line.text}" for line in trial.transcript]
    lines += [f"  {note}" for note in trial.notes]
    for failure in trial.failures:
        lines += _told(trial.path, failure)
    lines.append(f"  again: {again(trial, llm)}")
    return "\n".join(lines)


def _told(path: str, failure: Failure) -> list[str]:
    step = f"step {failure.step}, " if failure.step else ""
    return [
        f"  {path}:{failure.line}: {step}{failure.key}, at {failure.at:.2f} s",
        f"      expected {failure.expected}",
        f"      came     {failure.came}",
    ]


def as_plain(trial: Trial, llm: str | None = None) -> Mapping[str, object]:
    """A trial for a program."""
    return {
        "file": trial.path,
        "line": trial.line,
        "conversation": trial.conversation,
        "seed": trial.seed,
        "real_time": trial.real_time,
        "passed": trial.passed,
        "seconds": round(trial.seconds, 3),
        "took": round(trial.took, 3),
        "failures": [
            {
                "line": failure.line,
                "step": failure.step,
                "at": round(failure.at, 3),
                "key": failure.key,
                "expected": failure.expected,
                "came": failure.came,
            }
            for failure in trial.failures
        ],
        "transcript": [{"at": round(line.at, 3), "who": line.who, "text": line.text} for line in trial.transcript],
        "notes": list(trial.notes),
        "again": again(trial, llm),
    }


def as_json(trial: Trial, llm: str | None = None) -> str:
    """A trial as one line of JSON."""
    return json.dumps(as_plain(trial, llm), ensure_ascii=False)


def as_junit(trials: Sequence[Trial], llm: str | None = None) -> str:
    """All trials as JUnit's XML, which build servers read: a suite for each file, a case for each trial."""
    root = ET.Element("testsuites", name="sessionactors eval")
    for path in dict.fromkeys(trial.path for trial in trials):
        mine = [trial for trial in trials if trial.path == path]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=path,
            tests=str(len(mine)),
            failures=str(sum(not trial.passed for trial in mine)),
            errors="0",
            time=f"{sum(trial.took for trial in mine):.3f}",
        )
        for trial in mine:
            name = trial.conversation + (f" [seed {trial.seed}]" if trial.seed else "")
            case = ET.SubElement(
                suite,
                "testcase",
                name=_xml(name),
                classname=path,
                file=path,
                line=str(trial.line),
                time=f"{trial.took:.3f}",
            )
            if trial.failures:
                first = trial.failures[0]
                message = _xml(f"{first.key}: expected {first.expected}, came {first.came}")
                ET.SubElement(case, "failure", message=message, type=first.key).text = _xml(as_text(trial, llm))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Without what XML cannot say."""
    return text.translate(_NOT_IN_XML)
