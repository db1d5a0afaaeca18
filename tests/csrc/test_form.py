"""Forms: what every server reads alike is read, and nothing else.

Method: forms made by a client's library and by hand, at the end of a page that nothing may be read
behind; Python's own MIME parser finds the same parts in all that is taken. Mutations with a
printed seed: whatever is still taken, that parser reads the same.
"""

import ctypes
import mmap
import random
import sys
from email import policy
from email.parser import BytesParser
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scan_native import library  # noqa: E402

SEED = 20261121
BOUNDARY = b"b0Und"
libc = ctypes.CDLL(None, use_errno=True)


class Form(ctypes.Structure):
    _fields_ = [("body", ctypes.c_void_p), ("length", ctypes.c_size_t), ("at", ctypes.c_size_t),
                ("boundary", ctypes.c_char_p), ("boundary_bytes", ctypes.c_size_t),
                ("ended", ctypes.c_uint8)]


class Part(ctypes.Structure):
    _fields_ = [("name_at", ctypes.c_size_t), ("name_bytes", ctypes.c_size_t),
                ("value_at", ctypes.c_size_t), ("value_bytes", ctypes.c_size_t),
                ("file", ctypes.c_uint8)]


@pytest.fixture(scope="module")
def page():
    """`at(bytes)`: where they stand, right before memory that must not be touched."""
    size = 1 << 20
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(start + size), mmap.PAGESIZE, 0) == 0

    def at(raw: bytes) -> int:
        memory[size - len(raw):size] = raw
        return start + size - len(raw)

    yield at
    libc.mprotect(ctypes.c_void_p(start + size), mmap.PAGESIZE, 3)


def read(page, body: bytes, boundary: bytes = BOUNDARY) -> list[tuple[bytes, bytes, bool]] | None:
    """(name, value, whether it is a file) of each part; None: it is no form."""
    lib, form, part, found = library(), Form(), Part(), []
    at = page(body)
    if lib.fgw_form_begin(ctypes.byref(form), ctypes.c_void_p(at), ctypes.c_size_t(len(body)),
                          boundary, ctypes.c_size_t(len(boundary))):
        return None
    while (more := lib.fgw_form_next(ctypes.byref(form), ctypes.byref(part))) == 1:
        found.append((body[part.name_at:part.name_at + part.name_bytes],
                      body[part.value_at:part.value_at + part.value_bytes], bool(part.file)))
    return found if more == 0 else None


def oracle(body: bytes, boundary: bytes = BOUNDARY) -> list[tuple[bytes, bytes, bool]]:
    head = b"Content-Type: multipart/form-data; boundary=" + boundary + b"\r\n\r\n"
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    return [(part.get_param("name", header="content-disposition").encode(),
             part.get_payload(decode=True), part.get_filename() is not None)
            for part in message.iter_parts()]


def made(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    """Parts with their heads."""
    return b"".join(b"--" + BOUNDARY + b"\r\n" + one + b"\r\n" for one in parts) \
        + b"--" + BOUNDARY + b"--" + end


def field(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value


MODEL = field(b"model", b"whisper-1")
SOUND = field(b"file", b"RIFF\r\n--b0Unx\r\n\x00\xff", b'; filename="a b;c.wav"\r\n'
              b"Content-Type: audio/wav")


def test_what_a_library_sends_is_read(page):
    asked = httpx.Request("POST", "http://h", data={"model": "m", "language": "de"},
                          files={"file": ("ä.mp3", bytes(range(256)) * 40, "audio/mpeg")})
    body, kind = asked.read(), asked.headers["content-type"].encode()
    boundary = (ctypes.c_char * 70)()
    size = library().fgw_form_boundary(kind, ctypes.c_size_t(len(kind)), boundary)
    found = read(page, body, boundary.raw[:size])

    assert found == [(b"model", b"m", False), (b"language", b"de", False),
                     (b"file", bytes(range(256)) * 40, True)]


@pytest.mark.parametrize("body", [
    made(MODEL, SOUND), made(SOUND, MODEL, end=b""), made(field(b"a", b"")),
    made(field(b"a", b"\r\n")), made(field(b"a", b"x--b0Und--")), made(field(b"a", b"\r\r\n\n")),
    made(b"content-disposition:form-data;name=a\r\n\r\nv"),
    made(b"CONTENT-DISPOSITION: Form-Data; NAME=\"a\"\r\nX-Y: z\r\n\r\nv"),
    made(b"Content-Type: text/plain\r\nContent-Disposition: form-data; filename=\"f\"; name=\"a\""
         b"\r\nContent-Transfer-Encoding: binary\r\n\r\nv")])
def test_plain_forms_are_what_a_mime_parser_finds(page, body):
    assert read(page, body) == oracle(body) != []


@pytest.mark.parametrize("body", [
    b"", b"--", b"--b0Und", b"--b0Und\r\n", b"\r\n" + made(MODEL), b"preamble\r\n" + made(MODEL),
    made(MODEL, end=b"\r\nepilogue"), made(MODEL, end=b" \r\n"), made(MODEL)[:-4],
    made(MODEL).replace(b"\r\n", b"\n"), made(MODEL).replace(b"\r\n\r\n", b"\n\n"),
    made(MODEL).replace(b"--b0Und\r\n", b"--b0Und \r\n"),
    made(field(b"a", b"x\r\n--b0UndMore")), made(field(b"a", b"x\r\n--b0Und-")),
    made(field(b"a", b"--b0Und--")), made(field(b"a", b"--b0Und\r\n\r\n")),
    made(field(b"a", b"x\n--b0Und--")), made(field(b"a", b"x\r--b0Und--")),
    made(b"\r\nvalue"), made(b"Content-Type: text/plain\r\n\r\nv"),
    made(b"Content-Disposition: attachment; name=\"a\"\r\n\r\nv"),
    made(b"Content-Disposition: form-data\r\n\r\nv"),
    made(b'Content-Disposition: form-data; name=""\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name=a b\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="a"; name="model"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; '
         b'name="model"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name*=UTF-8\'\'model; name="a"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="mo%64el"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; filename="a\\"; name="model"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="a\r\n\r\nv'),
    made(b'Content-Disposition: form-data;\r\n name="a"\r\n\r\nv'),
    made(b'Content-Disposition : form-data; name="a"\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="a"\nX: y\r\n\r\nv'),
    made(b'Content-Disposition: form-data; name="a"\r\nX: \x00\r\n\r\nv'),
    made(field(b"model", b"d2hpc3Blci0x", b"\r\nContent-Transfer-Encoding: base64")),
])
def test_what_servers_read_in_two_ways_is_no_form(page, body):
    assert read(page, body) is None


@pytest.mark.parametrize("kind, boundary", [
    (b"multipart/form-data; boundary=abc", b"abc"),
    (b"Multipart/Form-Data;boundary=\"a b(c)\"", b"a b(c)"),
    (b"multipart/form-data; charset=utf-8; BOUNDARY=x", b"x"),
    (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
    (b"multipart/form-data; boundary=" + b"x" * 71, b""),
    (b"multipart/form-data", b""), (b"multipart/form-data; boundary=", b""),
    (b"multipart/form-data; boundary=a; boundary=b", b""),
    (b"multipart/form-data; boundary*=UTF-8''a; boundary=b", b""),
    (b"multipart/form-data; boundary=\"a\\\"b\"", b""),
    (b"multipart/form-data; boundary=\"a", b""), (b"multipart/form-data; boundary=\"a \"", b""),
    (b"multipart/form-data boundary=a", b""), (b"multipart/mixed; boundary=a", b""),
    (b"multipart/form-datax; boundary=a", b""), (b"", b"")])
def test_a_boundary_that_all_take_for_the_same(kind, boundary):
    out = (ctypes.c_char * 70)()
    size = library().fgw_form_boundary(kind, ctypes.c_size_t(len(kind)), out)
    assert out.raw[:size] == boundary


def test_what_is_taken_of_anything_is_what_a_mime_parser_finds(page):
    draw, taken = random.Random(SEED), 0
    print("seed", SEED)
    bases = [made(MODEL, SOUND), made(field(b"a", b"1"), field(b"model", b"m", b"\r\nX: y"))]
    pieces = [b"\r\n", b"\r", b"\n", b"--", BOUNDARY, b'"', b";", b"=", b"\\", b"%", b" ", b":",
              b"name=", b"\x00", b"x"]
    for _ in range(10_000):
        body = bytearray(draw.choice(bases))
        for _ in range(draw.randrange(1, 3)):
            at = draw.randrange(len(body))
            body[at:at + draw.randrange(3)] = draw.choice([b"", draw.choice(pieces)])
        found = read(page, bytes(body))
        if found is not None:
            taken += 1
            assert found == oracle(bytes(body)), bytes(body)
    assert taken > 300
