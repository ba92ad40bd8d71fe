"""The objects of a repository, read from its files: no `git` runs, no configuration is read."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from keepwall.discover.reading import (
    FOLDER,
    OpenFile,
    UnreadableError,
    opened,
    os_reason,
    shown_path,
)
from keepwall.formats.git_objects import GitObject, apply_delta, inflate, read_loose
from keepwall.formats.git_pack import PACK_MAGIC, PackEntry, entry_head, read_index
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread

_INDEX_BYTES = 256 << 20
_HEAD_BYTES = 64
_CACHE_BYTES = 48 << 20
_CHAIN = 4_096
_LOOSE_NAMES = (38, 62)
_FANOUT = [f"{number:02x}" for number in range(256)]


@dataclass(slots=True)
class Pack:
    """An open pack: where each entry starts and ends."""

    name: str
    file: OpenFile
    ends: dict[int, int]

    def raw(self, offset: int, length: int = 0) -> bytes:
        """Return the bytes of an entry, the first `length` where that is given."""
        end = self.ends.get(offset)
        if end is None:
            raise FormatError("damaged: a delta whose base is no entry")
        return self.file.read_at(offset, min(length or end - offset, end - offset))


@dataclass(slots=True)
class ObjectStore:
    """Objects by their ids (raw): in packs, else loose."""

    directory: int
    objects: int
    object_bytes: int
    places: dict[bytes, tuple[Pack, int] | None] = field(default_factory=dict)
    """The pack and offset of each object; None for a loose one."""
    _kinds: dict[tuple[str, int], str] = field(default_factory=dict)
    _cache: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    _cached: int = 0
    _open: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close every pack."""
        self._open.close()

    def load(self) -> Iterator[Unread]:
        """Find every object; yield what cannot be read."""
        yield from self._load_packs()
        yield from self._load_loose()
        try:
            os.stat("info/alternates", dir_fd=self.directory, follow_symlinks=False)
        except OSError:
            return
        yield Unread(".git/objects/info/alternates", "objects of another repository, not read")

    def _load_packs(self) -> Iterator[Unread]:
        try:
            folder = os.open("pack", FOLDER, dir_fd=self.directory)
        except OSError:
            return
        self._open.callback(os.close, folder)
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - of a descriptor
            if not name.endswith(".idx"):
                continue
            place = shown_path(f".git/objects/pack/{name}")
            try:
                left = self._load_pack(name, folder)
            except (UnreadableError, FormatError) as error:
                yield Unread(place, str(error))
                continue
            if left:
                yield Unread(place, f"{left} objects over the {self.objects} that are read")

    def _load_pack(self, name: str, folder: int) -> int:
        """Take in a pack; return how many of its objects are over the limit."""
        with opened(name, folder) as file:
            if file.size > _INDEX_BYTES:
                raise FormatError(f"{file.size} bytes, more than the {_INDEX_BYTES} that are read")
            entries, count = read_index(
                file.read_at(0, file.size), max(self.objects - len(self.places), 0)
            )
        stem = name.removesuffix(".idx")
        pack_file = self._open.enter_context(opened(f"{stem}.pack", folder))
        if pack_file.read_at(0, 4) != PACK_MAGIC:
            raise FormatError("damaged: not a pack")
        id_size = len(entries[0][0]) if entries else 20
        offsets = sorted(offset for _, offset in entries)
        tail = pack_file.size - id_size
        ends = dict(zip(offsets, [*offsets[1:], tail], strict=True))
        pack = Pack(stem, pack_file, ends)
        for each, offset in entries:
            self.places.setdefault(each, (pack, offset))
        return count - len(entries)

    def _load_loose(self) -> Iterator[Unread]:
        for fan in _FANOUT:
            for name in self._names(fan):
                if len(name) not in _LOOSE_NAMES:
                    continue
                if len(self.places) >= self.objects:
                    yield Unread(
                        f".git/objects/{fan}", f"over the {self.objects} objects that are read"
                    )
                    return
                try:
                    self.places.setdefault(bytes.fromhex(fan + name), None)
                except ValueError:
                    continue

    def _names(self, fan: str) -> list[str]:
        try:
            folder = os.open(fan, FOLDER, dir_fd=self.directory)
        except OSError:
            return []
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - of a descriptor
        finally:
            os.close(folder)

    def kind(self, each: bytes) -> str:
        """Return the kind of an object.

        Raises:
            FormatError: it is damaged, or not there.
        """
        place = self.places.get(each)
        if place is None:
            return self.read(each).kind
        pack, offset = place
        passed: list[tuple[str, int]] = []
        kind = ""
        while not kind:
            passed.append((pack.name, offset))
            if len(passed) > _CHAIN:
                raise FormatError("damaged: a chain of deltas without an end")
            kind = self._kinds.get(passed[-1], "")
            if not kind:
                head = self._head(pack, offset)
                kind = head.kind
                pack, offset = self._base(pack, head) if not kind else (pack, offset)
        self._kinds.update(dict.fromkeys(passed, kind))
        return kind

    def read(self, each: bytes) -> GitObject:
        """Return an object.

        Raises:
            FormatError: it is damaged, too large, or not there.
        """
        if each not in self.places:
            raise FormatError("not in this repository")
        place = self.places[each]
        if place is None:
            return self._read_loose(each.hex())
        return GitObject(self.kind(each), self._unpack(*place))

    def _read_loose(self, name: str) -> GitObject:
        try:
            folder = os.open(name[:2], FOLDER, dir_fd=self.directory)
        except OSError as error:
            raise FormatError(os_reason(error)) from error
        try:
            with opened(name[2:], folder) as file:
                if file.size > self.object_bytes:
                    raise FormatError(_too_large(file.size, self.object_bytes))
                return read_loose(file.read_at(0, file.size), self.object_bytes)
        except UnreadableError as error:
            raise FormatError(str(error)) from error
        finally:
            os.close(folder)

    def _head(self, pack: Pack, offset: int) -> PackEntry:
        return entry_head(pack.raw(offset, _HEAD_BYTES), offset)

    def _base(self, pack: Pack, head: PackEntry) -> tuple[Pack, int]:
        if head.base_offset:
            return pack, head.base_offset
        place = self.places.get(head.base_id)
        if place is None:
            raise FormatError("damaged: a delta whose base is not in a pack")
        return place

    def _unpack(self, pack: Pack, offset: int) -> bytes:
        """Return the content of an entry: its base with the deltas of its chain applied."""
        deltas: list[tuple[tuple[str, int], bytes]] = []
        while (data := self._cache.get((pack.name, offset))) is None:
            head = self._head(pack, offset)
            if len(deltas) >= _CHAIN:
                raise FormatError("damaged: a chain of deltas without an end")
            if head.size > self.object_bytes:
                raise FormatError(_too_large(head.size, self.object_bytes))
            plain = inflate(pack.raw(offset)[head.start :], head.size)
            if head.kind:
                data = plain
                self._keep((pack.name, offset), data)
                break
            deltas.append(((pack.name, offset), plain))
            pack, offset = self._base(pack, head)
        else:
            self._cache.move_to_end((pack.name, offset))
        for key, delta in reversed(deltas):
            data = apply_delta(data, delta, self.object_bytes)
            self._keep(key, data)
        return data

    def _keep(self, key: tuple[str, int], data: bytes) -> None:
        self._cache[key] = data
        self._cached += len(data)
        while self._cached > _CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= len(dropped)


def _too_large(size: int, limit: int) -> str:
    return f"{size} bytes, more than the {limit} that are read"
