"""Request heads for the mock: strict, so that what a gateway forwards wrongly does not pass."""

from libc.string cimport memchr, memcmp, memset


cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char *left, const char *right, size_t size)


cdef extern from "<string.h>" nogil:
    void *memmem(const void *text, size_t size, const void *word, size_t word_size)


cdef inline bint is_name(const char *name, Py_ssize_t size, const char *wanted) noexcept nogil:
    return strncasecmp(name, wanted, <size_t>size) == 0


cdef bint is_token(const char *text, Py_ssize_t size) noexcept nogil:
    """Coarser than RFC 9110's tchar, but without anything that could end or hide a name."""
    cdef Py_ssize_t at
    cdef unsigned char byte
    for at in range(size):
        byte = <unsigned char>text[at]
        if byte <= 32 or byte >= 127 or memchr(b"\"(),/:;<=>?@[\\]{}", byte, 17) != NULL:
            return False
    return size > 0


cdef bint is_plain(const char *text, Py_ssize_t size, unsigned char lowest) noexcept nogil:
    """Whether no byte is below `lowest` or DEL."""
    cdef Py_ssize_t at
    for at in range(size):
        if <unsigned char>text[at] < lowest or text[at] == 127:
            return False
    return True


cdef bint read_length(const char *text, Py_ssize_t size, Head *head) noexcept nogil:
    cdef int64_t value = 0
    cdef Py_ssize_t at
    if size == 0 or size > 15 or head.content_length >= 0:
        return False
    for at in range(size):
        if not 48 <= text[at] <= 57:
            return False
        value = value * 10 + (text[at] - 48)
    head.content_length = value
    return True


cdef bint keep_field(const char *base, const char *name, Py_ssize_t name_size,
                     const char *value, Py_ssize_t size, Head *head) noexcept nogil:
    """Notes the fields that matter, by length of name first: most fields match none."""
    cdef Span span
    span.at = value - base
    span.length = size
    if name_size == 4 and is_name(name, 4, b"host"):
        head.hosts += 1
    elif name_size == 6 and is_name(name, 6, b"x-mock"):
        head.x_mock = span
    elif name_size == 6 and is_name(name, 6, b"expect"):
        head.expects = size == 12 and strncasecmp(value, b"100-continue", 12) == 0
    elif name_size == 9 and is_name(name, 9, b"x-api-key"):
        head.api_key = span
        head.anthropic = True
    elif name_size == 10 and is_name(name, 10, b"connection"):
        head.closes = head.closes or (size == 5 and strncasecmp(value, b"close", 5) == 0)
    elif name_size == 10 and is_name(name, 10, b"x-mock-tag"):
        head.tag = span
    elif name_size == 13 and is_name(name, 13, b"authorization"):
        head.authorization = span
    elif name_size == 7 and is_name(name, 7, b"api-key"):
        head.api_key = span
    elif name_size == 14 and is_name(name, 14, b"x-goog-api-key"):
        head.api_key = span
        head.google = True
    elif name_size == 14 and is_name(name, 14, b"content-length"):
        return read_length(value, size, head)
    elif name_size == 16 and is_name(name, 16, b"content-encoding"):
        head.content_encoding = span
    elif name_size == 16 and is_name(name, 16, b"x-fastgw-attempt"):
        head.attempt = span
    elif name_size == 17 and is_name(name, 17, b"anthropic-version"):
        head.anthropic = True
    elif name_size == 17 and is_name(name, 17, b"transfer-encoding"):
        if head.chunked or size != 7 or strncasecmp(value, b"chunked", 7) != 0:
            return False
        head.chunked = True
    elif name_size == 19 and is_name(name, 19, b"x-fastgw-request-id"):
        head.request_id = span
    return True


cdef bint read_request_line(const char *base, Py_ssize_t size, Head *head) noexcept nogil:
    cdef const char *first = <const char *>memchr(base, 32, <size_t>size)
    cdef const char *last = base + size - 9
    if first == NULL or size < 14 or last <= first or memcmp(last, b" HTTP/1.", 8) != 0:
        return False
    if last[8] != 48 and last[8] != 49:
        return False
    head.old = last[8] == 48
    head.closes = head.old
    head.method.length = first - base
    head.target.at = first + 1 - base
    head.target.length = last - first - 1
    return is_token(base, head.method.length) and first[1] == 47 \
        and is_plain(first + 1, head.target.length, 33)


cdef bint read_field(const char *base, const char *line, Py_ssize_t size,
                     Head *head) noexcept nogil:
    cdef const char *colon = <const char *>memchr(line, 58, <size_t>size)
    cdef const char *value
    cdef const char *end = line + size
    if colon == NULL or not is_token(line, colon - line):
        return False
    value = colon + 1
    while value < end and (value[0] == 32 or value[0] == 9):
        value += 1
    while end > value and (end[-1] == 32 or end[-1] == 9):
        end -= 1
    return keep_field(base, line, colon - line, value, end - value, head)


cdef Py_ssize_t parse_head(const char *text, Py_ssize_t size, Head *head) noexcept nogil:
    cdef const char *stop = <const char *>memmem(text, <size_t>size, b"\r\n\r\n", 4)
    cdef const char *line = text
    cdef const char *end
    if stop == NULL:
        return -2
    memset(head, 0, sizeof(Head))
    head.content_length = -1
    stop += 2
    if memchr(text, 0, <size_t>(stop - text)) != NULL:
        return -1
    while line < stop:
        end = <const char *>memchr(line, 13, <size_t>(stop - line))
        if end == NULL or end[1] != 10 or memchr(line, 10, <size_t>(end - line)) != NULL:
            return -1
        if line == text:
            if not read_request_line(text, end - text, head):
                return -1
        elif not read_field(text, line, end - line, head):
            return -1
        line = end + 2
    if head.hosts > 1 or (head.hosts == 0 and not head.old):
        return -1
    if head.chunked and (head.content_length >= 0 or head.old):
        return -1
    head.size = stop + 2 - text
    return head.size


cdef Py_ssize_t parse_chunk_line(const char *text, Py_ssize_t size, int64_t *chunk) noexcept nogil:
    cdef const char *end = <const char *>memchr(text, 10, <size_t>size)
    cdef Py_ssize_t at = 0
    cdef int64_t value = 0
    cdef char byte
    if end == NULL:
        return -2 if size < 256 else -1
    if end == text or end[-1] != 13:
        return -1
    while text + at < end - 1:
        byte = text[at]
        if 48 <= byte <= 57:
            value = value * 16 + (byte - 48)
        elif 97 <= (byte | 32) <= 102:
            value = value * 16 + ((byte | 32) - 87)
        else:
            break
        at += 1
        if at > 12:
            return -1
    # An extension is legal and says nothing; anything else behind the size is not.
    if at == 0 or (text + at < end - 1 and text[at] != 59):
        return -1
    if not is_plain(text + at, end - 1 - (text + at), 32):
        return -1
    chunk[0] = value
    return end + 1 - text
