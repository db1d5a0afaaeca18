"""The words for what the C enums number: dialects, operations, flags, errors of a request."""

DIALECTS = ("", "openai", "anthropic", "gemini", "azure", "bedrock", "ollama", "cohere")

OPERATIONS = (
    "other",
    "chat",
    "responses",
    "completions",
    "embeddings",
    "models",
    "messages",
    "count_tokens",
    "moderations",
    "images",
    "audio",
    "files",
    "batches",
    "realtime",
    "generate",
    "converse",
    "invoke",
    "rerank",
)

# enum fgw_ask_error: what is wrong with a request body, for the message of the 400, and the member
# at fault (`param` of an openai error).
ASK_ERRORS = (
    ("", None),
    ("the body is not valid JSON", None),
    ("the body must be a JSON object", None),
    ("a member is given more than once, or in other case: servers differ on what counts", None),
    ("you must provide a model", "model"),
    ("model must be a string of 1 to 256 bytes without control characters", "model"),
    ("stream must be true or false", "stream"),
    ("n must be a whole number from 1 to 1024", "n"),
    ("the limit of output tokens must be a whole number, 0 or more", "max_tokens"),
    ("the form can be read in more than one way", None),
)

# enum fgw_stream_kind: how a body is cut into events.
STREAMS = ("", "sse", "ndjson", "array", "frames")

EVENT_FLAGS = ("dispatch", "text", "usage", "hide", "finish", "done", "error", "broken")
USAGE_FLAGS = ("provider", "partial", "zero", "clamped", "iterations", "other_model", "no_input",
               "billed", "beside")

REPORT_FIELDS = (
    "input",
    "output",
    "total",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
    "tool_input",
    "billed_input",
    "billed_output",
)

USAGE_CLASSES = (
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
)


def flag_names(names: tuple[str, ...], bits: int) -> frozenset[str]:
    """The names of the bits that are set, lowest bit first in ``names``."""
    return frozenset(name for number, name in enumerate(names) if bits >> number & 1)
