"""Standing in for an object of an interface: what is not disturbed is passed on, defaults of the interface included."""

from __future__ import annotations

from typing import Any


class _Forwarded:
    """An attribute of the interface that is the original's."""

    def __init__(self, name: str, default: object) -> None:
        self._name = name
        self._default = default

    def __get__(self, instance: Any, owner: type) -> Any:
        return self._default if instance is None else getattr(instance.original, self._name)


class Forwarding:
    """Base of stand-ins, beside the interface ``of``: ``class Loud(Forwarding, STT, of=STT)``."""

    original: Any

    def __init_subclass__(cls, *, of: type) -> None:
        """Every public name of the interface that the stand-in does not define is read from the original."""
        super().__init_subclass__()
        for name in dir(of):
            if not name.startswith("_") and name not in vars(cls):
                setattr(cls, name, _Forwarded(name, getattr(of, name)))

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        if name == "original":
            raise AttributeError(name)
        return getattr(self.original, name)
