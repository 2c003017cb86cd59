"""From a name on the command line to an agent or a drop-in, and all the ways in which there is none."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionactors.cli.entry_points import find_entry_point
from sessionactors.cli.loading import NotLoaded, drop_in_class, load_module, make_drop_in


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if not name.startswith(("sessionactors", "tests")):
            del sys.modules[name]
    sys.path[:] = path


def write(folder: Path, name: str, source: str) -> str:
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return str(path)


def notes() -> list[str]:
    return []


AGENT = """
    from sessionactors import Agent
    class {name}(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="")
"""
BAD_MODULES = {
    "syntax error": ("def entrypoint(:\n", "agent.py:1: SyntaxError"),
    "error on import": ("x = 1\ny = x / 0\n", "agent.py:2: does not import: ZeroDivisionError: division by zero"),
    "import of what is not there": (
        "import nothing_of_this_name\n",
        "agent.py:1: does not import: ModuleNotFoundError: No module named 'nothing_of_this_name'",
    ),
    "program that ends itself": ("raise SystemExit(3)\n", "agent.py:1: does not import: SystemExit: 3"),
    "nothing in it": ("x = 1\n", "offers nothing to talk to; looked for: `async def entrypoint"),
    "agent of another module": ("from sessionactors import Agent\n", "offers nothing to talk to"),
    "plain entry point": ("def entrypoint(ctx): ...\n", "entrypoint is not an async function"),
    "entry point that is none": ("entrypoint = 7\n", "entrypoint is not an async function of a JobContext, but 7"),
    "factory that is none": ("session_for = 7\n", "session_for is not a function"),
    "two agents": (
        textwrap.dedent(AGENT.format(name="One")) + textwrap.dedent(AGENT.format(name="Two")),
        "has 2 agents (One, Two): say which one by an entrypoint",
    ),
    "agent that needs arguments": (
        "from sessionactors import Agent\nclass Mine(Agent): ...\n",
        "Mine cannot be made without arguments",
    ),
}


@pytest.mark.parametrize("case", BAD_MODULES)
def test_module_that_cannot_be_used_says_where_and_what(case: str, tmp_path: Path) -> None:
    source, what = BAD_MODULES[case]
    path = write(tmp_path, "agent.py", source)
    before = set(sys.modules)
    with pytest.raises(NotLoaded) as raised:
        find_entry_point(path, audio=False, note=print)
    assert what in str(raised.value)
    if "import" in what or "Error" in what:
        assert "agent" not in set(sys.modules) - before, "half of a module stays behind"


@pytest.mark.parametrize(
    "name, what",
    [
        ("./gone.py", "there is no such file (looked for "),
        ("tests/", "is a directory: give a file in it"),
        ("no_such_module", "there is no module of that name here"),
        ("no_such_package.agent", "No module named 'no_such_package'"),
        ("..agent", "..agent"),
    ],
)
def test_module_that_is_not_there(name: str, what: str) -> None:
    with pytest.raises(NotLoaded) as raised:
        load_module(name)
    assert what in str(raised.value)


def test_file_whose_name_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(NotLoaded, match="'my-agent' is no name for a module; rename the file"):
        load_module(write(tmp_path, "my-agent.py", ""))


def test_error_deep_in_an_import_names_the_line_of_the_module(tmp_path: Path) -> None:
    write(tmp_path, "deep.py", "def fail():\n    raise ValueError('deep down')\n")
    path = write(tmp_path, "agent.py", "import deep\n\ndeep.fail()\n")
    with pytest.raises(NotLoaded, match=r"agent\.py:3: does not import: ValueError: deep down"):
        load_module(path)


def test_file_does_not_stand_in_for_a_package_of_its_name(tmp_path: Path) -> None:
    import json

    module = load_module(write(tmp_path, "json.py", "mine = True\n"))
    assert module.mine
    assert sys.modules["json"] is json


def test_dotted_name_is_found_where_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "agent_in_this_folder.py", "async def entrypoint(ctx): ...\n")
    monkeypatch.chdir(tmp_path)
    module = load_module("agent_in_this_folder")
    assert find_entry_point("agent_in_this_folder", audio=False, note=print) is module.entrypoint


def test_worker_options_name_the_entry_point(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "worker.py",
        """
        from sessionactors import WorkerOptions
        async def serve(ctx): ...
        options = WorkerOptions(entrypoint_fnc=serve)
        """,
    )
    assert find_entry_point(path, audio=False, note=print).__name__ == "serve"


def test_one_agent_is_an_entry_point(tmp_path: Path) -> None:
    path = write(tmp_path, "agent.py", AGENT.format(name="Mine"))
    assert callable(find_entry_point(path, audio=False, note=print))


# -- drop-ins --------------------------------------------------------------------------------------------------------


def test_drop_in_by_name_by_path_and_by_file_of_ones_own(tmp_path: Path) -> None:
    assert drop_in_class("recorder").__name__ == "Recorder"
    assert drop_in_class("actors/transcript_log.py").__name__ == "TranscriptLog"
    own = write(tmp_path, "mine.py", "from sessionactors import DropIn\nclass Mine(DropIn):\n    name = 'mine'\n")
    assert make_drop_in(own).name == "mine"


@pytest.mark.parametrize(
    "source, what",
    [
        ("", "defines no drop-in actor: a subclass of sessionactors.DropIn was looked for"),
        ("from sessionactors import DropIn\n", "defines no drop-in actor"),
        (
            "from sessionactors import DropIn\nclass One(DropIn): ...\nclass Two(DropIn): ...\n",
            "defines 2 drop-in actors (One, Two)",
        ),
        (
            "from sessionactors import DropIn\nclass Mine(DropIn):\n    def __init__(self, path): ...\n",
            "Mine cannot be made without arguments",
        ),
        ("1 / 0\n", "mine.py:1: does not import: ZeroDivisionError"),
    ],
)
def test_file_that_is_no_drop_in(source: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(NotLoaded) as raised:
        make_drop_in(write(tmp_path, "mine.py", source))
    assert what in str(raised.value)


def test_drop_in_of_no_known_name_lists_those_that_are() -> None:
    with pytest.raises(NotLoaded, match=r"no drop-in actor named 'recoder'; there are: recorder, transcript_log"):
        make_drop_in("recoder")
