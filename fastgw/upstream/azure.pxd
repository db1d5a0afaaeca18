# Where Azure's paths and versions differ from OpenAI's, for its clients and as a provider.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

from fastgw.exchange cimport Exchange
from fastgw.upstream.route cimport Candidate

# Whether the request or its candidate has to do with Azure at all: the rest holds only then.
cdef bint is_azure(Exchange x, Candidate candidate) noexcept

# The candidate takes the model from the body, the client has it in the path.
cdef bint wants_model(Exchange x, Candidate candidate) noexcept

# The api-version that it is asked by knows neither `stream_options` nor `max_completion_tokens`.
cdef bint is_old(Exchange x, Candidate candidate) noexcept

# Writes path and query; returns their length, -1 if there is no room.
cdef Py_ssize_t write_azure_target(Exchange x, Candidate candidate, uint8_t *out, size_t room)
