"""One vector: an input and what a reader must say to it."""

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]


@dataclass(frozen=True)
class Vector:
    """`reason` and `path` are empty for a good one."""

    name: str
    data: bytes
    reason: str = ""
    path: str = ""

    def record(self) -> Tree:
        """As it stands in the file: the input as text where it is text, else in base64."""
        record: Tree = {"name": self.name, "verdict": "bad" if self.reason else "good"}
        if self.reason:
            record |= {"reason": self.reason, "path": self.path}
        try:
            return record | {"input": self.data.decode("utf-8")}
        except UnicodeDecodeError:
            return record | {"inputBase64": base64.b64encode(self.data).decode("ascii")}

    @classmethod
    def from_record(cls, record: Tree) -> "Vector":
        data = record["input"].encode("utf-8") if "input" in record else base64.b64decode(record["inputBase64"])
        return cls(record["name"], data, record.get("reason", ""), record.get("path", ""))


def dump(tree: Tree) -> bytes:
    """Compact JSON in the tree's own order; what Python writes here is the canonical form for every good tree."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def changed(tree: Tree, change: Callable[[Tree], object]) -> bytes:
    """The bytes of a copy of `tree` after `change`."""
    other = copy.deepcopy(tree)
    change(other)
    return dump(other)


def put(tree: Tree, place: str, value: object) -> bytes:
    """The bytes of a copy of `tree` with `value` at `place` (`recipients.0.note`); `...` removes what is there."""

    def change(other: Tree) -> None:
        at: Any = other
        *steps, last = place.split(".")
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        key: Any = int(last) if isinstance(at, list) else last
        if value is ...:
            del at[key]
        elif isinstance(at, list) and key == len(at):
            at.append(value)
        else:
            at[key] = value

    return changed(tree, change)


def path_of(place: str) -> str:
    """`signers.0.position` as errors name it: `signers[0].position`."""
    path = ""
    for step in place.split("."):
        path += f"[{step}]" if step.isdigit() else f".{step}" if path else step
    return path


def replaced(tree: Tree, old: str, new: str) -> bytes:
    """The bytes of `tree` with the one `old` in its text replaced: for what no JSON writer would write."""
    text = dump(tree).decode("utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{old!r} stands {text.count(old)} times")
    return text.replace(old, new).encode("utf-8")
