"""Phase POLICY, behind the rules: the words of a form (multipart/form-data).

    prompt=Draw me   image[]=<file>   prompt=twice   ->   {"prompt": ["Draw me", "twice"]}

Only requests for which a rule with `detect` matched come here, so it is written in Python's own
terms. Files are what they are: nobody looks into them.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memset

import orjson

from fastgw.native.form cimport (
    FGW_BOUNDARY_MAX,
    fgw_form,
    fgw_form_begin,
    fgw_form_boundary,
    fgw_form_next,
    fgw_form_part,
)


cdef str words(bytes value):
    """UTF-8, or else bytes: what is looked for is ASCII."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


cdef bytes as_before(str text, bytes value):
    """The text in the coding that its value had."""
    try:
        value.decode()
        return text.encode()
    except UnicodeDecodeError:
        return text.encode("latin-1")


cdef list fields_of(const uint8_t *type, size_t type_bytes, const uint8_t *body, size_t length):
    cdef char boundary[FGW_BOUNDARY_MAX]
    cdef size_t size = fgw_form_boundary(type, type_bytes, boundary)
    cdef fgw_form form
    cdef fgw_form_part part
    cdef list fields = []
    memset(&form, 0, sizeof(form))
    if size == 0 or fgw_form_begin(&form, body, length, boundary, size):
        return None
    while fgw_form_next(&form, &part) > 0:
        if not part.file:
            fields.append((
                PyBytes_FromStringAndSize(
                    <const char *>body + part.name_at, <Py_ssize_t>part.name_bytes),
                PyBytes_FromStringAndSize(
                    <const char *>body + part.value_at, <Py_ssize_t>part.value_bytes),
                part.value_at, part.value_bytes,
            ))
    return fields


cdef bytes document_of(list fields):
    cdef dict told = {}
    for name, value, _, _ in fields:
        told.setdefault(words(name), []).append(words(value))
    return orjson.dumps(
        {name: values if len(values) > 1 else values[0] for name, values in told.items()}
    )


cdef bytes rebuilt(list fields, bytes document, const uint8_t *body, size_t length):
    cdef bytes whole = PyBytes_FromStringAndSize(<const char *>body, <Py_ssize_t>length)
    cdef dict told = orjson.loads(document)
    cdef dict taken = {}
    cdef list pieces = []
    cdef Py_ssize_t at = 0
    for name, value, begins, size in fields:
        text = told[words(name)]
        if isinstance(text, list):
            number = taken.get(name, 0)
            taken[name] = number + 1
            text = text[number]
        pieces += [whole[at:begins], as_before(text, value)]
        at = begins + size
    pieces.append(whole[at:])
    return b"".join(pieces)
