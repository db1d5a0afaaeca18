"""Phase AUTHENTICATE: from the bytes of a credential to its principal, among 1,000 keys."""

import hashlib

from fastgw.identity.keys import KeyTable as make_table
from fastgw.identity.keys import Principal as make_principal

from libc.stdint cimport uint8_t

from fastgw.identity.keys cimport KeyTable, Principal

cdef KeyTable table
cdef bytes credential = b"sk-fgw-0123456789abcdef0123456789abcdef"


def setup():
    global table
    secrets = [b"sk-fgw-%d" % i for i in range(999)] + [credential]
    table = make_table([(hashlib.sha256(secret).digest(), make_principal("key %d" % i))
                        for i, secret in enumerate(secrets)])


def run(Py_ssize_t n):
    cdef Principal found = None
    for _ in range(n):
        found = table.find(<const uint8_t *>credential, len(credential))
    assert found.id == "key 999"
