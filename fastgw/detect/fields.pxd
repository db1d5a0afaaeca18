# What a form says in words: its fields that are no files, as one JSON document and back.
from libc.stdint cimport uint8_t


# [(name, value, where the value begins in the body, its bytes)] of the fields that are no files;
# None where the Content-Type names no form.
cdef list fields_of(const uint8_t *type, size_t type_bytes, const uint8_t *body, size_t length)
# The document that `detect` looks at, as it would at a request in JSON.
cdef bytes document_of(list fields)
# The body with what that document has become in place of the fields' values.
cdef bytes rebuilt(list fields, bytes document, const uint8_t *body, size_t length)
