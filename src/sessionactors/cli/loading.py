"""From a name on the command line to what it stands for: an agent module, or a drop-in actor's file.

Each way in which that can go wrong is a :class:`NotLoaded` that says where and what to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from sessionactors.model.errors import OptionError
from sessionactors.session.drop_in import AnyDropIn, DropIn

SOURCE_TREE: Final = Path(__file__).parents[3] / "actors"
INSTALLED: Final = Path(__file__).parents[1] / "drop_ins"
"""Where the drop-ins that come with the package are: in the tree, or copied there when the wheel is built."""


class NotLoaded(OptionError):
    """Raised when a name on the command line stands for nothing that can be used."""


def load_module(name: str) -> ModuleType:
    """The module of this path or dotted name.

    Raises:
        NotLoaded: there is none, or it does not import; says the file, the line and the error.
    """
    path = Path(name)
    if path.suffix == ".py" or "/" in name or "\\" in name:
        return _from_file(path)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a console script does not look where it is run, `python -m` does
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise NotLoaded(f"{name}: {error}") from error
    if found is None:
        raise NotLoaded(
            f"{name}: there is no module of that name here ({Path.cwd()}) or installed; for a file give its path, "
            f"such as ./{name}.py"
        )
    return _imported(name, Path(found.origin) if found.origin else None)


def _from_file(path: Path) -> ModuleType:
    if path.is_dir():
        raise NotLoaded(f"{path} is a directory: give a file in it")
    if not path.is_file():
        raise NotLoaded(f"{path}: there is no such file (looked for {path.absolute()})")
    name = path.stem
    if not name.isidentifier():
        raise NotLoaded(f"{path}: {name!r} is no name for a module; rename the file")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != str(path.absolute()):
        name = f"{name}_from_file"  # such as an agent in openai.py: it must not stand in for the package
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise NotLoaded(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as for a program that is run
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _does_not_import(path, error) from error
    return module


def _imported(name: str, path: Path | None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _does_not_import(path or Path(name), error) from error


def _does_not_import(path: Path, error: BaseException) -> NotLoaded:
    """Says the line of the module itself that failed; deeper ones are in the cause."""
    if isinstance(error, SyntaxError):
        return NotLoaded(f"{error.filename or path}:{error.lineno}: {type(error).__name__}: {error.msg}")
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    where = f"{path}:{lines[-1].lineno}" if lines else f"{path}"
    return NotLoaded(f"{where}: does not import: {type(error).__name__}: {error}")


def drop_in_class(name: str) -> type[DropIn[object, object]]:
    """The drop-in of a file, or of a name of those that come with the package (``recorder``).

    Raises:
        NotLoaded: there is none of that name, the file does not import, or it holds none, or several.
    """
    path = Path(name)
    if path.suffix != ".py":
        folders = [Path("actors"), SOURCE_TREE, INSTALLED]
        found = next((folder / f"{name}.py" for folder in folders if (folder / f"{name}.py").is_file()), None)
        if found is None:
            known = ", ".join(sorted({file.stem for folder in folders for file in folder.glob("*.py")})) or "none"
            raise NotLoaded(f"no drop-in actor named {name!r}; there are: {known}. For a file give its path")
        path = found
    module = _from_file(path)
    classes = list(_defined_in(module, DropIn))
    if len(classes) == 1:
        return classes[0]
    names = ", ".join(kind.__name__ for kind in classes)
    raise NotLoaded(
        f"{path} defines {len(classes)} drop-in actors ({names}): put each into a file of its own"
        if classes
        else f"{path} defines no drop-in actor: a subclass of sessionactors.DropIn was looked for"
    )


def make_drop_in(name: str) -> AnyDropIn:
    """The drop-in of this name or file, made without arguments.

    Raises:
        NotLoaded: see :func:`drop_in_class`; or it cannot be made without arguments.
    """
    kind = drop_in_class(name)
    try:
        return kind()
    except TypeError as error:
        raise NotLoaded(f"{name}: {kind.__name__} cannot be made without arguments: {error}") from error


def subclasses_in(module: ModuleType, base: type) -> list[type]:
    """The concrete subclasses that the module itself defines, in their order."""
    return list(_defined_in(module, base))


def _defined_in(module: ModuleType, base: type) -> Iterator[type]:
    for value in vars(module).values():
        if (
            inspect.isclass(value)
            and issubclass(value, base)
            and value is not base
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
        ):
            yield value
