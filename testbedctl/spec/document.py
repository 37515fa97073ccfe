"""A YAML file as plain data that remembers where each key and value stands.

Only plain YAML is taken: mappings with text keys, lists, text, numbers, true, false and nothing. Anchors,
aliases and merge keys work. Size, depth and what aliases expand to are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from testbedctl.errors import InvalidFile, Place
from testbedctl.spec.quoting import number_text, quote
from testbedctl.spec.syntax import MAX_VALUES, compose, read_text

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[str], object]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda text: text.lower() == "true",
    f"{_TAG}int": lambda text: _integer(text),
    f"{_TAG}float": lambda text: _float(text),
}
_TEXT = (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value")
_PLAIN = (*_SCALARS, *_TEXT, f"{_TAG}map", f"{_TAG}seq", f"{_TAG}merge")
Where = tuple[str | int, ...]
"""The way to a value: keys and list indices from the top."""
_Entries = dict[str, tuple[Node, Node]]


@dataclass
class Document:
    """What stands in a file: ``data`` is plain Python, ``faults`` what is wrong with the YAML itself."""

    file: str
    root: MappingNode
    data: dict[str, Any] = field(default_factory=dict)
    faults: list[Place] = field(default_factory=list)
    _entries: dict[int, _Entries] = field(default_factory=dict)
    _built: dict[int, Any] = field(default_factory=dict)

    def place(self, path: Where, message: str, *, at_key: bool = False) -> Place:
        """The place of the value at ``path`` (of its key with ``at_key``), with a message.

        Parts of the path that stand in no file, such as pydantic's name of a variant, are passed over.
        """
        node: Node = self.root
        key: Node = self.root
        for part in path:
            if isinstance(node, MappingNode) and part in self._entries.get(id(node), {}):
                key, node = self._entries[id(node)][str(part)]
            elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
                key = node = node.value[part]
        return self._at(key if at_key or isinstance(node, MappingNode) else node, message)

    def _at(self, node: Node, message: str) -> Place:
        mark = node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1, message)

    def build(self, node: Node) -> Any:
        """Plain data of a node; a node that aliases reach twice is built once."""
        if id(node) not in self._built:
            self._built[id(node)] = self._build(node)
        return self._built[id(node)]

    def _build(self, node: Node) -> Any:
        if node.tag not in _PLAIN:
            self.faults.append(
                self._at(
                    node, f"the tag {quote(str(node.tag).replace(_TAG, '!!'))} is not supported; leave it out"
                )
            )
        if isinstance(node, MappingNode):
            entries = self._entries[id(node)] = dict(self._pairs(node))
            return {name: self.build(value) for name, (_, value) in entries.items()}
        if isinstance(node, SequenceNode):
            return [self.build(item) for item in node.value]
        return self._scalar(node)

    @staticmethod
    def _scalar(node: Node) -> object:
        if node.tag not in _SCALARS:
            return str(node.value)
        try:
            return _SCALARS[node.tag](node.value)
        except ValueError:  # thousands of digits, which Python refuses: no number that a model would take
            return str(node.value)

    def _pairs(self, node: MappingNode) -> Iterator[tuple[str, tuple[Node, Node]]]:
        """Keys with their nodes: merged ones first, so that the mapping's own win."""
        own: _Entries = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                yield from self._merged(value)
            elif not isinstance(key, ScalarNode) or key.tag not in _TEXT:
                found = quote(key.value) if isinstance(key, ScalarNode) else "a list or mapping"
                self.faults.append(self._at(key, f"found {found} as a key; a key is text"))
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                self.faults.append(
                    self._at(key, f"the key {quote(key.value)} is there twice (first in line {first})")
                )
            else:
                own[key.value] = (key, value)
        yield from own.items()

    def _merged(self, value: Node) -> Iterator[tuple[str, tuple[Node, Node]]]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        for source in reversed(sources):
            if not isinstance(source, MappingNode):
                self.faults.append(self._at(source, "'<<' merges mappings, and this is none"))
                continue
            self.build(source)
            yield from self._entries.get(id(source), {}).items()


def read_document(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises ``InvalidFile`` if nothing can be built from it at all. What is wrong but leaves the rest
    readable (a key twice, a tag) is in ``faults``, so that it is reported along with other errors.
    """
    file = str(path)
    root = compose(file, read_text(path))
    if not isinstance(root, MappingNode):
        if root is None or root.tag == f"{_TAG}null":
            found = "the file is empty"
        else:
            found = f"found {'a list' if isinstance(root, SequenceNode) else quote(root.value)}"
        line, column = (root.start_mark.line + 1, root.start_mark.column + 1) if root else (1, 1)
        raise InvalidFile(
            f"{file} is not a mapping of keys and values",
            places=[
                Place(file, line, column, f"{found}; the top of the file is a mapping, as in 'name: my-lab'")
            ],
            hint="`testbedctl init` writes examples to start from",
        )
    document = Document(file, root)
    _check_expansion(document)
    document.data = document.build(root) or {}
    return document


def _check_expansion(document: Document) -> None:
    """Refuse aliases that contain themselves or multiply into more values than a lab can have."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Node) -> int:
        if id(node) in open_nodes:
            raise _refused(document, node, "an alias in this value leads back to the value itself")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            pairs = isinstance(node, MappingNode)
            children = [n for pair in node.value for n in pair] if pairs else node.value
            inner = 0 if isinstance(node, ScalarNode) else sum(size(child) for child in children)
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + inner
        if sizes[id(node)] > MAX_VALUES:
            many = number_text(MAX_VALUES)
            raise _refused(document, node, f"aliases make more than {many} values of this")
        return sizes[id(node)]

    size(document.root)


def _refused(document: Document, node: Node, message: str) -> InvalidFile:
    mark = node.start_mark
    place = Place(document.file, mark.line + 1, mark.column + 1, message)
    return InvalidFile(f"{document.file} cannot be expanded", places=[place])


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(digits)


def _float(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
