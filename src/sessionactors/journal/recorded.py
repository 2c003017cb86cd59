"""Values of a journal that lead nowhere, for those who only read it."""

from __future__ import annotations

from collections.abc import Mapping


class RecordedRef:
    """What was a ref to an actor: its path. Equal to any other of the path."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRef) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"<Ref {self.path}, as recorded>"


class RecordedReply:
    """What was the right to answer an ask."""

    __slots__ = ("message_id",)

    def __init__(self, message_id: int) -> None:
        self.message_id = message_id

    def __repr__(self) -> str:
        return f"<ReplyTo ask #{self.message_id}, as recorded>"


class UserValue:
    """A value of a class of the user's: its fields, without the class."""

    __slots__ = ("fields", "type_name")

    def __init__(self, type_name: str, fields: Mapping[str, object]) -> None:
        self.type_name = type_name
        self.fields = fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserValue) and (other.type_name, other.fields) == (self.type_name, self.fields)

    def __hash__(self) -> int:
        return hash(self.type_name)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.type_name.rpartition(':')[2]}({told})"


class Opaque:
    """Something of which only the class is known."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.type_name == self.type_name

    def __hash__(self) -> int:
        return hash(self.type_name)

    def __repr__(self) -> str:
        return f"<{self.type_name}, not recorded>"
