"""The sealed file of a compiled policy: written once, the same for all processes, never changed.

Method: a policy's own blob is attached by its descriptor, here and in a child that maps it anew;
attempts to write, cut or grow it must fail, and damaged copies must be refused.
"""

import fcntl
import mmap
import os
import random

import pytest

from fastgw.policy.blob import Blob, whole
from fastgw.policy.index import TEXT, Atom, build
from tests.policy.configured import policy

RULES = "".join(
    f"- {{name: r{i}, expressions: [\"ai.model == 'm{i % 7}'\", 'ai.n > {i}'], "
    "actions: [{type: deny}]}\n" for i in range(20))


def blob() -> Blob:
    return policy(RULES).blob


def contents() -> bytes:
    sealed = blob()
    return os.pread(sealed.descriptor, sealed.size, 0)


def test_a_policy_is_one_sealed_file_of_its_version():
    compiled = policy(RULES)

    assert compiled.blob.version == compiled.version_hash
    assert compiled.blob.programs == 27  # what rules share is there once
    link = os.readlink(f"/proc/self/fd/{compiled.blob.descriptor}")
    assert f"memfd:fastgw-policy-{compiled.version_hash:016x}" in link


def test_nobody_can_change_a_sealed_policy():
    sealed = blob()

    with pytest.raises(PermissionError):
        os.pwrite(sealed.descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(sealed.descriptor, sealed.size // 2)
    with pytest.raises(PermissionError):
        os.ftruncate(sealed.descriptor, sealed.size * 2)
    with pytest.raises(PermissionError):
        mmap.mmap(sealed.descriptor, sealed.size, mmap.MAP_SHARED)


def test_another_process_attaches_to_the_descriptor():
    sealed = blob()
    child = os.fork()
    if child == 0:
        try:
            attached = Blob.attach(sealed.descriptor)
            same = (attached.version, attached.programs, attached.size) == (
                sealed.version, sealed.programs, sealed.size)
            os._exit(0 if same else 1)
        except BaseException:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_has_the_policy_mapped_read_only_as_it_is():
    sealed = blob()
    name = f"memfd:fastgw-policy-{sealed.version:016x}"
    child = os.fork()
    if child == 0:
        with open("/proc/self/maps") as maps:
            mapped = [line.split()[1] for line in maps if name in line]
        os._exit(0 if mapped == ["r--s"] else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_descriptor_is_closed_with_the_blob():
    sealed = blob()
    descriptor = sealed.descriptor
    del sealed

    with pytest.raises(OSError):
        os.fstat(descriptor)


def memory_file(content: bytes, seal: bool = True) -> int:
    descriptor = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    if seal:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 15)
    return descriptor


def refused(content: bytes, seal: bool = True) -> str:
    descriptor = memory_file(content, seal)
    try:
        with pytest.raises(ValueError) as error:
            Blob.attach(descriptor)
        return str(error.value)
    finally:
        os.close(descriptor)


def test_a_file_that_could_change_is_refused():
    assert "not sealed" in refused(contents(), seal=False)


def test_a_damaged_or_shortened_file_is_refused():
    content = contents()
    rng = random.Random(1)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        assert "no compiled policy" in refused(bytes(damaged))
    for size in (8, 47, 48, len(content) // 2 // 8 * 8, len(content) - 8):
        assert "no compiled policy" in refused(content[:size])


def test_a_whole_file_with_an_unsound_program_is_refused():
    index = build([[frozenset([Atom(TEXT, 0, b"a")])]], 1).block
    assert "no compiled policy" in refused(bytes(whole(1, index, [b"CEL1" + bytes(60)])))
    assert "no compiled policy" in refused(bytes(whole(1, bytes(80), [])))
    descriptor = memory_file(bytes(whole(1, index, [])))
    assert Blob.attach(descriptor).version == 1
    os.close(descriptor)
