"""The C scanners under test, as a library built from csrc/ and called through ctypes."""

import ctypes
import functools
import random
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *ROOT.glob("csrc/fgw_json*.c"),
    *ROOT.glob("csrc/fgw_dialect*.c"),
    *ROOT.glob("csrc/fgw_bpe*.c"),
    ROOT / "csrc/fgw_sse.c",
    ROOT / "csrc/fgw_ndjson.c",
    ROOT / "csrc/fgw_form.c",
    ROOT / "csrc/fgw_bedrock_chunk.c",
    ROOT / "csrc/fgw_event_stream.c",
    ROOT / "csrc/fgw_crc32.c",
    ROOT / "csrc/fgw_hash.c",
    ROOT / "csrc/fgw_tier.c",
    ROOT / "csrc/fgw_sample.c",
    ROOT / "csrc/fgw_quotes.c",
    ROOT / "csrc/fgw_writing.c",
]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]


@functools.cache
def library() -> ctypes.CDLL:
    """Builds once per process; undefined behaviour traps, so it cannot pass unseen."""
    folder = tempfile.TemporaryDirectory(prefix="fgw-scan-")
    target = Path(folder.name) / "scan.so"
    subprocess.run(
        ["gcc", *STRICT, "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-shared",
         "-fPIC", "-I", ROOT / "csrc", "-o", target, Path(__file__).with_name("scan_shim.c"),
         *SOURCES],
        check=True,
    )  # fmt: skip
    loaded = ctypes.CDLL(str(target))
    loaded.folder = folder  # removed with the library
    loaded.shim_json_new.restype = ctypes.c_void_p
    loaded.shim_spec_edge.restype = ctypes.c_char_p
    loaded.shim_json_text.restype = ctypes.c_void_p
    loaded.shim_split_feed.restype = ctypes.c_size_t
    loaded.shim_split_size.restype = ctypes.c_size_t
    loaded.fgw_crc32.restype = ctypes.c_uint32
    loaded.shim_sse_count.restype = ctypes.c_uint64
    loaded.fgw_siphash64.restype = ctypes.c_uint64
    return loaded


TYPES = ["absent", "null", "false", "true", "number", "string", "object", "array"]
IGNORE, TEXT, BINARY, URL, REMOTE = range(5)
ONCE, STICKY, KEYS_TEXT = 1, 2, 4
NO_SLOT = 0xFF


class Scan:
    """One JSON scan over a spec that the test gives as nodes {number: {...}} (node 1 is the
    root)."""

    def __init__(self, nodes: dict, rooms: dict | None = None, *, lenient: bool = False):
        self.lib = library()
        self.shim = ctypes.c_void_p(self.lib.shim_json_new())
        self.lib.shim_json_lenient(self.shim, int(lenient))
        for number, node in nodes.items():
            self.lib.shim_json_node(
                self.shim, number, node.get("slot", NO_SLOT), node.get("text", 0),
                node.get("flags", 0),
                node.get("other", 0), node.get("element", 0),
            )  # fmt: skip
            for key, to in node.get("edges", {}).items():
                encoded = key.encode()
                self.lib.shim_json_edge(self.shim, number, encoded, len(encoded), to)
        for slot, (at, room) in (rooms or {}).items():
            self.lib.shim_json_room(self.shim, slot, at, room)

    def __del__(self):
        self.lib.shim_json_free(self.shim)

    def read(self, *pieces: bytes) -> int:
        """Scans the document in these pieces; what fgw_json_end says."""
        self.lib.shim_json_init(self.shim)
        for piece in pieces:
            if self.lib.shim_json_feed(self.shim, piece, ctypes.c_size_t(len(piece))):
                return -1
        return self.lib.shim_json_end(self.shim)

    @property
    def error(self) -> int:
        return self.lib.shim_json_error(self.shim)

    def type(self, slot: int) -> str:
        return TYPES[self.lib.shim_json_type(self.shim, slot)]

    def slot(self, slot: int) -> dict:
        out = (ctypes.c_int64 * 6)()
        self.lib.shim_json_slot(self.shim, slot, out)
        return dict(
            zip(("start", "end", "number", "count", "copied", "inexact"), out, strict=True)
        )

    def text(self, slot: int) -> bytes:
        return ctypes.string_at(
            self.lib.shim_json_text(self.shim, slot), self.slot(slot)["copied"]
        )

    def sums(self) -> dict:
        out = (ctypes.c_uint64 * 5)()
        self.lib.shim_json_sums(self.shim, out)
        return dict(
            zip(("text_bytes", "binary_bytes", "binaries", "remotes", "twice"), out, strict=True)
        )


PIECES = {1: "data", 2: "join", 3: "name", 4: "id", 5: "retry", 6: "end", 7: "fault"}
SSE, NDJSON, JSON_ARRAY, EVENT_STREAM = range(4)


class Split:
    """A splitter of one framing, and the pieces that it hands out."""

    def __init__(self, which: int):
        self.lib, self.which = library(), which
        self.state = ctypes.create_string_buffer(self.lib.shim_split_size())

    def feed(self, piece: bytes):
        """Yields (kind, fresh, dispatch, offset after it in this input, bytes)."""
        log = ctypes.create_string_buffer(11 * (2 * len(piece) + 2) + len(piece) + 64)
        used = self.lib.shim_split_feed(
            self.which, self.state, piece, ctypes.c_size_t(len(piece)), log)
        assert used <= len(log), "a splitter has left input unread"
        raw, at = log.raw, 0
        while at < used:
            kind, fresh, dispatch = PIECES[raw[at]], raw[at + 1], raw[at + 2]
            length = int.from_bytes(raw[at + 3 : at + 7], "little")
            end = int.from_bytes(raw[at + 7 : at + 11], "little")
            yield kind, fresh, dispatch, end, raw[at + 11 : at + 11 + length]
            at += 11 + length

    @property
    def open(self) -> bool:
        return bool(self.lib.shim_split_open(self.which, self.state))


class ElementReader:
    """Events of a framing whose events are their data: whole ones, in order."""

    def __init__(self, which: int):
        self.split = Split(which)
        self.events: list[bytes] = []
        self.ends: list[tuple[int, int]] = []  # (offset in the whole input, dispatched)
        self.text, self.seen = b"", 0

    def feed(self, piece: bytes) -> None:
        for kind, fresh, dispatch, end, value in self.split.feed(piece):
            if kind == "data":
                assert fresh == (not self.text), "only the first piece of a value is fresh"
                self.text += value
                continue
            assert kind == "end"
            assert dispatch == bool(self.text)
            self.ends.append((self.seen + end, dispatch))
            if dispatch:
                self.events.append(self.text)
            self.text = b""
        self.seen += len(piece)


class EventReader:
    """Assembles events by the WHATWG rules from the pieces that the C scanner hands out."""

    def __init__(self):
        self.split = Split(SSE)
        self.open_kind: str | None = None  # the field whose value is being read
        self.value = self.text = self.name = b""
        self.id_buffer = self.last_id = ""
        self.retry: int | None = None
        self.events: list[dict] = []
        self.ends: list[tuple[int, int]] = []  # (offset in the whole input, dispatched)
        self.seen = 0

    def feed(self, piece: bytes) -> None:
        for kind, fresh, dispatch, end, value in self.split.feed(piece):
            self._take(kind, fresh, dispatch, value, self.seen + end)
        self.seen += len(piece)
        if piece[-1:] in (b"\r", b"\n"):
            self._close_field()

    def _take(self, kind, fresh, dispatch, value, end):
        if fresh or kind in ("join", "end"):
            self._close_field()
        if kind == "join":
            self.text += b"\n"
        elif kind == "data":
            self.text += value
        elif kind == "end":
            self.last_id = self.id_buffer
            self.ends.append((end, dispatch))
            if dispatch:
                name = self.name.decode("utf-8", "replace") or "message"
                text = self.text.decode("utf-8", "replace")
                self.events.append({"event": name, "data": text, "id": self.last_id})
            self.text = self.name = b""
        else:
            self.open_kind = kind
            self.value += value

    def _close_field(self):
        """What a field says counts once its line is over."""
        value, kind = self.value, self.open_kind
        self.value, self.open_kind = b"", None
        if kind == "name":
            self.name = value
        elif kind == "id" and b"\0" not in value:
            self.id_buffer = value.decode("utf-8", "replace")
        elif kind == "retry" and value.isdigit():
            self.retry = int(value)


def cuts(raw: bytes, rng: random.Random):
    """Ways to cut an input: whole, byte by byte, in two (of long ones a sample), at random."""
    yield [raw]
    yield [raw[at : at + 1] for at in range(len(raw))]
    step = max(1, len(raw) // 400)
    for at in range(0, len(raw), step):
        yield [raw[:at], raw[at:]]
    for _ in range(10):
        marks = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(1, 12)))
        yield [raw[a:b] for a, b in zip([0, *marks], [*marks, len(raw)], strict=True)]
