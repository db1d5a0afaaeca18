"""Routes: every path of INTERFACE section 4 leads where it says, and nothing else passes.

Method: tables; paths that two parsers could read differently, in every encoding, must be unknown.
"""

import pytest

from fastgw.dialect.request import Route


@pytest.mark.parametrize(
    "method, path, dialect, operation",
    [
        ("POST", "/v1/chat/completions", "openai", "chat"),
        ("POST", "/v1/responses", "openai", "responses"),
        ("GET", "/v1/responses/resp_1", "openai", "responses"),
        ("POST", "/v1/responses/resp_1/cancel", "openai", "responses"),
        ("DELETE", "/v1/responses/resp_1", "openai", "responses"),
        ("POST", "/v1/completions", "openai", "completions"),
        ("POST", "/v1/embeddings", "openai", "embeddings"),
        ("GET", "/v1/models", "openai", "models"),
        ("GET", "/v1/models/gpt-4o", "openai", "models"),
        ("POST", "/v1/moderations", "openai", "moderations"),
        ("POST", "/v1/images/generations", "openai", "images"),
        ("POST", "/v1/images/edits", "openai", "images"),
        ("POST", "/v1/audio/speech", "openai", "audio"),
        ("POST", "/v1/audio/transcriptions", "openai", "audio"),
        ("GET", "/v1/files", "openai", "files"),
        ("GET", "/v1/files/file-1/content", "openai", "files"),
        ("POST", "/v1/batches", "openai", "batches"),
        ("GET", "/v1/realtime", "openai", "realtime"),
        ("GET", "/v1/chat/completions/c_1/messages", "openai", "chat"),
        ("POST", "/v1/messages", "anthropic", "messages"),
        ("POST", "/v1/messages/count_tokens", "anthropic", "count_tokens"),
        ("POST", "/v1/messages/batches", "anthropic", "batches"),
        ("GET", "/v1/messages/batches/b_1/results", "anthropic", "batches"),
    ],
)
def test_known_paths_lead_to_their_operation(method, path, dialect, operation):
    route = Route(method, path)
    assert (route.status, route.dialect, route.operation) == (0, dialect, operation)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/v1/files"])
def test_paths_of_both_dialects_go_by_the_anthropic_headers(path):
    assert Route("GET", path).dialect == "openai"
    assert Route("GET", path, told="anthropic").dialect == "anthropic"
    assert Route("POST", "/v1/chat/completions", told="anthropic").dialect == "openai"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1", "/v1/", "/v1/chat", "/v1/chat/completion", "/v1/chat/completionsx",
    "/v2/models",
     "/v1//models", "/v1/chat/completions/", "/v1/embeddings/x", "/v1/images", "/v1/audio",
     "/v1/messages/x", "/v1/chat%2fcompletions", "/V1/models", "/v1/models/", "/v1/models/.",
     "/v1/models/..", "/v1/files/../chat/completions", "/v1/files/%2e%2e/chat", "/v1/files/.%2E",
     "/v1/files/a/../b", "/v1/files/a//b", "/v1/files/a/", "/v1/files/a%2f..%2fb", "/v1/files/%",
     "/v1/files/%2", "/v1/files/%zz", "/v1/files/a\\b", "/v1/files/a%5Cb", "/v1/files/a%00",
     "/v1/files/a%0a", "/v1/files/./x", "/v1/models/%2E"],
)  # fmt: skip
def test_other_and_ambiguous_paths_are_unknown(path):
    assert Route("GET", path).status == 404
    assert Route("POST", path).status == 404


def test_names_with_dots_and_encoded_slashes_pass():
    for name in ("gpt-4.1", "...", "org%2Fmodel", "a..b", ".hidden"):
        route = Route("GET", f"/v1/models/{name}")
        assert (route.status, route.name) == (0, name)


@pytest.mark.parametrize(
    "method, path, allowed",
    [("GET", "/v1/chat/completions", ("POST",)), ("PUT", "/v1/chat/completions", ("POST",)),
     ("GET", "/v1/messages", ("POST",)), ("DELETE", "/v1/embeddings", ("POST",)),
     ("GET", "/v1/messages/count_tokens", ("POST",)), ("POST", "/v1/models", ("GET",)),
     ("get", "/v1/models", ("GET",)), ("PATCH", "/v1/models/x", ("GET", "DELETE")),
     ("GET", "/v1/completions", ("POST",)), ("HEAD", "/v1/files", ("GET", "POST"))],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_ones(method, path, allowed):
    route = Route(method, path)
    assert (route.status, route.methods) == (405, allowed)


def test_what_a_route_demands_of_its_request():
    assert Route("POST", "/v1/chat/completions").flags == {"body", "model", "metered", "cappable"}
    assert Route("POST", "/v1/embeddings").flags == {"body", "model", "metered"}
    assert Route("POST", "/v1/messages/count_tokens").flags == {"body", "model"}
    assert Route("GET", "/v1/models").flags == set()


def test_stored_results_are_not_metered_again():
    assert Route("GET", "/v1/responses/resp_1").flags == {"sub"}
    for path in ("/v1/responses/resp_1/cancel", "/v1/chat/completions/chatcmpl-1"):
        assert Route("POST", path).flags == {"sub"}, path  # (its answer has the usage once more)


def test_what_is_not_known_below_responses_is_refused():
    assert Route("POST", "/v1/responses/anything_new").status == 404
    assert Route("POST", "/v1/responses/resp_1").status == 404


@pytest.mark.parametrize("path", [
    "/v1beta/models/g:generateContent", "/v1beta/models/g%3AgenerateContent",
    "/v1/models/g:streamGenerateContent",
    "/v1/projects/p/locations/l/publishers/google/models/g:predict"])  # fmt: skip
def test_no_get_calls_a_model(path):
    """Whatever turns it into a POST behind us would be metered by nobody."""
    assert Route("GET", path, told="gemini").status in (404, 405)
    assert Route("GET", "/v1/models/ft:gpt-4o:org::id").status == 0


def test_what_makes_something_below_an_operation_names_its_model():
    assert Route("POST", "/v1/responses/compact").flags == {"sub", "metered", "body", "model"}
    counts = Route("POST", "/v1/responses/input_tokens")
    assert (counts.operation, counts.flags) == ("count_tokens", {"body"})
    assert Route("POST", "/openai/v1/responses/compact").dialect == "azure"
    for path in ("transcriptions", "translations"):
        assert Route("POST", f"/v1/audio/{path}").flags == {"body", "form", "metered", "model"}
    for path in ("images/edits", "images/variations", "audio/voices"):
        assert Route("POST", f"/v1/{path}").flags == {"sub", "body", "form", "metered"}
    deployed = Route("POST", "/openai/deployments/d/audio/transcriptions")
    assert deployed.flags == {"body", "form", "metered", "in_path"}


VERTEX = "/v1/projects/p-1/locations/us-east5/publishers"


@pytest.mark.parametrize("path, dialect, operation, model, stream", [
    ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini", "generate",
     "gemini-2.5-flash", False),
    ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini", "generate",
     "gemini-2.5-flash", True),
    ("/v1/models/a:b:generateContent", "gemini", "generate", "a:b", False),
    ("/v1beta/models/e:embedContent", "gemini", "embeddings", "e", False),
    ("/v1beta/models/e:batchEmbedContents", "gemini", "embeddings", "e", False),
    ("/v1beta/models/g:countTokens", "gemini", "count_tokens", "g", False),
    (f"{VERTEX}/google/models/g:streamGenerateContent", "gemini", "generate", "g", True),
    (f"{VERTEX}/anthropic/models/claude%40x:rawPredict", "anthropic", "messages", "claude%40x",
     False),
    (f"{VERTEX}/anthropic/models/c:streamRawPredict", "anthropic", "messages", "c", True),
])  # fmt: skip
def test_a_path_may_name_model_and_stream(path, dialect, operation, model, stream):
    for one in (path, path.replace("/v1/projects", "/v1beta1/projects")):
        route = Route("POST", one)
        assert (route.status, route.dialect, route.operation) == (0, dialect, operation)
        assert route.name == model and route.flags >= {"body", "in_path"}
        assert ("stream" in route.flags) == stream and "model" not in route.flags


@pytest.mark.parametrize("path", [
    "/v1beta/models/:generateContent", "/v1beta/models/a/b:generateContent",
    "/v1beta/models/a:generate", "/v1beta/models/a:generateContent/",
    "/v1beta/models/%2e/x:countTokens", "/v1beta/models/a%5c:generateContent",
    "/v1beta/models/a%zz:generateContent",
    "/v1/projects//locations/l/publishers/google/models/a:countTokens",
    "/v1/projects/../locations/l/publishers/google/models/a:countTokens",
    "/v1/projects/a%2f..%2fb/locations/l/publishers/google/models/a:countTokens",
    f"{VERTEX}/mistralai/models/m:rawPredict", "/v1beta/", "/v1beta/models/"])  # fmt: skip
def test_a_path_that_names_no_model_plainly_is_unknown(path):
    assert Route("POST", path).status in (404, 405)


def test_lists_of_models_are_asked_of_the_dialect_whose_key_they_bear():
    assert Route("GET", "/v1beta/models").dialect == "gemini"
    assert Route("GET", "/v1beta/models/g").name == "g"
    assert Route("GET", "/v1/models", told="gemini").dialect == "gemini"
    assert Route("POST", "/v1beta/models").methods == ("GET",)


@pytest.mark.parametrize("method, path, operation, model, tail", [
    ("POST", "/openai/deployments/d/chat/completions", "chat", "d", "/chat/completions"),
    ("POST", "/openai/deployments/a%2Fb/completions", "completions", "a%2Fb", "/completions"),
    ("POST", "/openai/deployments/d/embeddings", "embeddings", "d", "/embeddings"),
    ("POST", "/openai/deployments/d/images/generations", "images", "d", "/images/generations"),
    ("POST", "/openai/deployments/d/images/edits", "images", "d", "/images/edits"),
    ("POST", "/openai/deployments/d/audio/transcriptions", "audio", "d",
     "/audio/transcriptions"),
    ("POST", "/openai/deployments/d/audio/speech", "audio", "d", "/audio/speech"),
    ("POST", "/openai/v1/chat/completions", "chat", "", "/chat/completions"),
    ("POST", "/openai/v1/responses", "responses", "", "/responses"),
    ("GET", "/openai/v1/responses/r", "responses", "", "/responses/r"),
    ("POST", "/openai/v1/images/generations", "images", "", "/images/generations"),
    ("GET", "/openai/v1/models/m", "models", "m", "/models/m"),
    ("POST", "/openai/responses", "responses", "", "/responses"),
    ("GET", "/openai/models", "models", "", "/models"),
    ("POST", "/models/chat/completions", "chat", "", "/chat/completions"),
    ("POST", "/models/embeddings", "embeddings", "", "/embeddings"),
    ("POST", "/openai/files", "files", "", "/files"),
    ("POST", "/openai/batches", "batches", "", "/batches")])
def test_azures_paths_lead_to_openais_operations(method, path, operation, model, tail):
    route = Route(method, path)
    assert (route.status, route.dialect, route.operation) == (0, "azure", operation)
    assert (route.name, route.tail) == (model, tail)


@pytest.mark.parametrize("path", [
    "/openai", "/openai/", "/openai/v1", "/openai/v1/", "/openai/deployments/",
    "/openai/deployments/d", "/openai/deployments/d/", "/openai/deployments//chat/completions",
    "/openai/deployments/d/chat/completions/", "/openai/deployments/d/chat/completions/x",
    "/openai/deployments/d/responses", "/openai/deployments/d/models",
    "/openai/deployments/../chat/completions", "/openai/deployments/%2e%2e/chat/completions",
    "/openai/deployments/d%2f../chat/completions", "/openai/deployments/d\\/chat/completions",
    "/openai/deployments/d/messages", "/openai/v1/messages", "/openai/chat/completions",
    "/openai/embeddings", "/openai/v1/moderations", "/openai/v1/chat/completion",
    "/openai/deployments/d/extensions/chat/completions", "/openai/v1/models/..",
    "/openai/v1/files/%2e%2e/x", "/openai/deployments/d/images", "/openai/threads",
    "/models", "/models/", "/models/info", "/models/m", "/models/responses", "/models/completions",
    "/models/chat/completions/x", "/models//chat/completions", "/models/chat/completions/",
    "/models/images/generations", "/models/embeddings/x", "/models/../models/embeddings"])
def test_what_azure_has_not_is_unknown_and_refused_in_its_words(path):
    for method in ("GET", "POST"):
        route = Route(method, path)
        assert route.status == 404
        assert route.dialect == ("azure" if path.startswith("/openai/v") else route.dialect)


def test_a_deployments_model_is_needed_in_no_body():
    deployed = Route("POST", "/openai/deployments/d/chat/completions")
    assert deployed.flags == {"body", "metered", "cappable", "in_path"}
    assert Route("POST", "/openai/v1/chat/completions").flags == {
        "body", "model", "metered", "cappable"}
    assert Route("GET", "/openai/deployments/d/chat/completions").methods == ("POST",)
    assert Route("POST", "/models/chat/completions").flags == {
        "body", "model", "metered", "cappable"}
    assert Route("GET", "/models/chat/completions").methods == ("POST",)


@pytest.mark.parametrize("path", [
    # Keys of the client's own at the provider, and sessions that pass it by.
    "/v1/realtime/client_secrets", "/v1/realtime/sessions", "/v1/realtime/calls",
    "/openai/v1/realtime/client_secrets", "/openai/realtimeapi/sessions", "/v1/realtime/x",
    "/v1beta/auth_tokens", "/v1alpha/auth_tokens", "/v1alpha/models/g:bidiGenerateContent",
    # Google's interactions, sessions, batches, uploads and caches: read and metered by nobody.
    "/v1beta/interactions", "/v1/interactions", "/v1beta/interactions/i/cancel",
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    "/v1beta/models/g:bidiGenerateContent", "/v1beta/models/g:batchGenerateContent",
    "/v1beta/models/g:predictLongRunning", "/v1beta/models/g:asyncBatchEmbedContent",
    "/upload/v1beta/files", "/v1beta/files", "/v1beta/cachedContents", "/v1beta/tunedModels",
    "/v1beta/batches", "/v1beta/openai/chat/completions", "/v1/uploads", "/v1/videos",
    "/v1/fine_tuning/jobs", "/v1/assistants", "/v1/threads/runs", "/v1/vector_stores",
    "/v1/conversations", "/v1/containers", "/v1/evals"])
def test_what_nobody_meters_is_served_nowhere(path):
    assert Route("POST", path).status in (404, 405)
    if "models/g:" not in path:  # (whoever gets it asks for a model of that name)
        for method in ("GET", "DELETE", "PUT"):
            assert Route(method, path).status == 404, method
    google = ("/v1beta", "/v1alpha", "/upload/", "/ws/google")
    if path.startswith(google):
        assert Route("POST", path).dialect == "gemini"


def test_tokens_are_counted_on_vertex_for_the_bodys_model():
    route = Route("POST", f"{VERTEX}/anthropic/models/count-tokens:rawPredict")
    assert (route.operation, route.flags, route.name) == ("count_tokens", {"body", "model"}, "")
