"""The gateway's own paths on the data port: no provider, no limit, no record.

`/fastgw/health` needs no key. `/fastgw/usage` and `/fastgw/limits` tell a key's holder about that
key: authenticated here like any request, answered by another process (fastgw.process.holders)
while this worker goes on. A client that leaves meanwhile is not waited for, and its exchange may
serve another one by the time the answer comes: so the answer is for an id, not for an exchange.
"""

from libc.stdint cimport uint8_t

from fastgw.exchange cimport AUTHENTICATE, BODY
from fastgw.identity.identify cimport authenticate, field
from fastgw.identity.keys cimport Principal
from fastgw.native.dialect cimport (
    FGW_DIALECT_ANTHROPIC, FGW_DIALECT_AZURE, FGW_DIALECT_GEMINI, FGW_DIALECT_OPENAI,
)
from fastgw.native.http1 cimport (
    FGW_H_API_KEY, FGW_H_AUTHORIZATION, FGW_H_X_API_KEY, FGW_H_X_GOOG_API_KEY,
)

cdef tuple READ = (b"GET", b"HEAD")


cdef class Own(Waiting):
    def ask_by(self, asker):
        """From now on ``asker`` answers what holders of keys ask."""
        self.asker = asker

    cdef int _own(self, Exchange x) except -1:
        """Returns 1: the request is answered, or will be, without its body."""
        cdef bytes path = x.bytes[x.head.path.off:x.head.path.off + x.head.path.len]
        cdef bytes method = x.bytes[
            x.head.method_text.off:x.head.method_text.off + x.head.method_text.len
        ]
        cdef bytes query
        cdef int code
        if self.asker is not None and path in (b"/fastgw/usage", b"/fastgw/limits"):
            code = self._who(x)
            if code:
                self.refuse(x, code)
                return 1
            if method in READ:
                query = x.bytes[x.head.query.off:x.head.query.off + x.head.query.len]
                self._ask(x, path[8:].decode(), query.decode("latin-1"))
                return 1
        x.client.will_refuse(x)
        self._say(x, self.refusals.own(
            path, method, x.id_text[:x.id_length], x.client.close_after
        ))
        return 1

    cdef int _who(self, Exchange x) except -1:
        """Phase AUTHENTICATE, whichever API's credential it is."""
        cdef const uint8_t *value = NULL
        x.route.dialect = FGW_DIALECT_OPENAI
        if not field(x, FGW_H_AUTHORIZATION, &value):
            if field(x, FGW_H_X_API_KEY, &value):
                x.route.dialect = FGW_DIALECT_ANTHROPIC
            elif field(x, FGW_H_X_GOOG_API_KEY, &value):
                x.route.dialect = FGW_DIALECT_GEMINI
            elif field(x, FGW_H_API_KEY, &value):
                x.route.dialect = FGW_DIALECT_AZURE
        x.phase = AUTHENTICATE
        return authenticate(x, self.keys)

    cdef int _ask(self, Exchange x, str what, str query) except -1:
        cdef bytes id = x.id_text[:x.id_length]
        x.phase = BODY  # from here on a shutdown refuses it
        self.asker.ask(
            what, (<Principal>x.principal).id, query,
            lambda status, text: self._told(x, id, status, text),
        )
        return 0

    def _told(self, Exchange x, bytes id, int status, bytes text):
        """The desk's answer, or that there is none."""
        if not x.live or x.id_text[:x.id_length] != id:
            return
        try:
            x.client.will_refuse(x)
            self._say(x, self.refusals.told(
                status, text, id, x.client.close_after,
                x.bytes[x.head.method_text.off:x.head.method_text.off + x.head.method_text.len],
            ))
        except Exception as exception:
            self.failed(x, exception)

    cdef int _say(self, Exchange x, bytes answer) except -1:
        x.client.send_bytes(answer, <size_t>len(answer))
        x.refused = True
        self._leave(x)
        return x.client.refused(x)
