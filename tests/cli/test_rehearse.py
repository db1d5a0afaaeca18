"""`fastgw policy test` and `simulate`: a policy played by the whole gateway.

Method: the command itself; a policy of pace, hours, addresses and tiers, whose secrets are not
at hand. The last test makes each expectation wrong in turn: a test that cannot fail would pass.
"""

import json
import re

import pytest
from click.testing import CliRunner

from fastgw.cli.rehearse import simulate
from fastgw.cli.rehearse import test as policy_test

CONFIG = """\
providers:
  - {id: openai, dialect: openai, base_url: "https://api.openai.com/v1",
     keys: [{value: "${env:NOBODY_HAS_THIS}"}]}
  - {id: anthropic, dialect: anthropic, base_url: "https://api.anthropic.com", keys: [{value: k}]}
keys:
  - {id: alice, value: "${env:NOR_THIS}", tags: {tier: paid}}
  - {id: bob, tags: {tier: free}, limits: {cost: 0.5/month},
     hash: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
policy:
  on_http_request:
    - name: closed at night
      expressions: ["time.hour < 6"]
      actions: [{type: deny, config: {message: "come back at six"}}]
    - name: not from here
      expressions: ["conn.client_ip == '2001:db8::1'"]
      actions: [{type: deny}]
    - name: free
      expressions: ["key.tags.tier == 'free'"]
      actions:
        - {type: rate-limit, config: {name: free, capacity: 2, per: 1h, bucket_key: ["key.id"]}}
"""
CHAT = "{path: /v1/chat/completions, body: {model: gpt-4o, messages: [{role: user, content: a}]}}"
DAY = "time: 2026-03-01T10:00:00Z"
TESTS = f"""\
tests:
  - {{name: by day, key: alice, {DAY}, request: {CHAT}, expect: {{verdict: allow, status: 200,
     unmatched: [free], headers: {{x-fastgw-provider: openai, x-fastgw-code: null}}}}}}
  - {{name: by night, key: alice, time: "2026-03-01T05:59:59Z", request: {CHAT},
     expect: {{verdict: deny, status: 403, rule: closed at night, body: [come back at six]}}}}
  - {{name: far away, key: alice, {DAY}, client_ip: "2001:DB8::1", request: {CHAT},
     expect: {{status: 403, rule: not from here, code: FGW-601}}}}
  - {{name: thrice, key: bob, {DAY}, request: {CHAT}, repeat: 3,
     expect: {{status: 429, headers: {{retry-after: "*"}}, matched: [free]}}}}
  - {{name: twice, key: bob, {DAY}, request: {CHAT}, repeat: 2, expect: {{verdict: allow}}}}
  - {{name: nobody, {DAY}, request: {CHAT}, expect: {{status: 401, verdict: deny}}}}
  - {{name: ill provider, key: alice, {DAY}, provider: status=503,
     request: {{path: /v1/messages, headers: {{anthropic-version: "2023-06-01"}},
               body: {{model: claude, max_tokens: 9, messages: [{{role: user, content: a}}]}}}},
     expect: {{status: 503}}}}
"""


@pytest.fixture
def run(tmp_path):
    def run(tests, config=CONFIG):
        (tmp_path / "fastgw.yaml").write_text(config)
        (tmp_path / "tests.yaml").write_text(tests)
        done = CliRunner().invoke(policy_test, [str(tmp_path / "tests.yaml")])
        return done.exit_code, done.output

    return run


def test_what_holds(run):
    code, said = run(TESTS)
    assert code == 0, said
    assert re.search(r"^7 of 7 hold \(\d+\.\d s\)$", said, re.MULTILINE)
    assert re.search(r"^ok    \S+tests.yaml:2  by day$", said, re.MULTILINE)


def test_each_case_has_a_gateway_of_its_own(run):
    twice = f"{{name: NAME, key: bob, {DAY}, request: {CHAT}, repeat: 2, expect: {{status: 200}}}}"
    code, said = run("tests:\n" + "".join(
        f"  - {twice.replace('NAME', name)}\n" for name in ("first", "second")))
    assert code == 0, said


def test_what_does_not_hold_is_told_and_exits_1(run):
    wrong = TESTS.replace("verdict: allow", "verdict: deny")
    for status in (403, 429, 401, 503):
        wrong = wrong.replace(f"status: {status}", f"status: {status - 1}")
    code, said = run(wrong)
    assert code == 1
    assert len(re.findall("^FAIL", said, re.MULTILINE)) == 7 and "0 of 7 hold" in said
    assert "verdict: expected deny, got allow" in said
    assert "status: expected 402, got 403 (FGW-601" in said
    assert "status: expected 428, got 429" in said


@pytest.mark.parametrize("tests, config, said", [
    (TESTS.replace("key: bob", "key: bo"), CONFIG, "did you mean 'bob'?"),
    (TESTS.replace("repeat: 3", "repeat: 0"), CONFIG, "a whole number from 1"),
    (TESTS, CONFIG.replace("time.hour", "time.our"), "fastgw.yaml:12:21"),
    (TESTS, CONFIG.replace("providers:", "provider:"), "did you mean 'providers'?"),
    ("config: none.yaml\n" + TESTS, CONFIG, "none.yaml"),
])
def test_bad_files_exit_2_with_place_and_remedy(run, tests, config, said):
    code, output = run(tests, config)
    assert code == 2 and said in output, output


@pytest.fixture
def simulated(tmp_path):
    def run(request, *options, name="one.yaml"):
        (tmp_path / "fastgw.yaml").write_text(CONFIG)
        (tmp_path / name).write_text(request)
        return CliRunner().invoke(simulate, [
            "-c", str(tmp_path / "fastgw.yaml"), "--request", str(tmp_path / name), *options])

    return run


def test_one_request_with_the_value_of_every_part(simulated):
    done = simulated(f"{{key: bob, {DAY}, request: {CHAT}}}")
    assert done.exit_code == 0, done.output
    for line in ("rule 0 'closed at night' (line 11): does not match",
                 "  time.hour < 6  ->  false", "      time.hour  ->  10",
                 "rule 2 'free' (line 17): matches", "answer: 200, "):
        assert line in done.output, done.output


def test_rules_behind_the_one_that_refused_are_not_reached(simulated):
    done = simulated(f'{{key: bob, time: "2026-03-01T01:00:00Z", request: {CHAT}}}')
    assert "rule 2 'free' (line 17): not reached" in done.output
    assert "FGW-601" in done.output and "answer: 403" in done.output


def test_the_same_as_json(simulated):
    done = simulated(f"{{key: bob, {DAY}, request: {CHAT}}}", "--format", "json")
    shown = json.loads(done.output)
    assert shown["decision"]["verdict"] == "allow" and shown["status"] == 200
    assert [rule["matched"] for rule in shown["rules"]] == [True, False, False, True]
    assert [rule["phase"] for rule in shown["rules"]] == ["key"] + 3 * ["on_http_request"]
    assert shown["rules"][1]["expressions"][0]["parts"] == [
        {"text": "time.hour", "values": ["10"]}]


def test_a_raw_message(simulated):
    done = simulated("GET /v1/models HTTP/1.1\nHost: a\n\n", name="raw.http")
    assert done.exit_code == 0 and "answer: 401" in done.output, done.output


def test_a_message_that_is_none(simulated):
    done = simulated("GET /v1/models HTTP/1.1\nHost : a\n\n", name="raw.http")
    assert done.exit_code == 0 and "answer: 400" in done.output, done.output


PHASES = CONFIG + """\
    - name: lucky
      expressions: ["random() < 0.5"]
      actions: [{type: set-vars, config: {vars: {lucky: yes}}}]
    - name: late
      expressions: ["size(vars.lucky) > 0"]
      actions: [{type: add-headers, config: {headers: {x-luck: "${vars.lucky}"}}}]
  on_http_response:
    - name: seen
      expressions: ["res.status == 201 && res.headers['x-shard'] == 'b'"]
      actions: [{type: add-headers, config: {headers: {x-left: "${actions.rate_limit.remaining}"}}}
      ]
    - name: dear
      expressions: ["usage.output_tokens > 5"]
      actions: [{type: log, config: {metadata: {cost: "${usage.cost}"}}}]
  on_event_stream_message:
    - {name: numbers, actions: [{type: detect, config: {kinds: [us_ssn], then: redact}}]}
"""
WHOLE = f"""\
{{key: bob, {DAY}, request: {CHAT}, answer: {{status: 201, headers: {{x-shard: b}}, body:
  {{id: a, object: chat.completion, created: 1, model: gpt-4o,
    choices: [{{index: 0, finish_reason: stop, message: {{role: assistant, content: hi}}}}],
    usage: {{prompt_tokens: 3, completion_tokens: 9, total_tokens: 12}}}}}}}}
"""
STREAMED = CHAT.replace("model: gpt-4o", "model: gpt-4o, stream: true")
STREAM = f"""\
{{key: bob, {DAY}, request: {STREAMED}, answer:
  {{events: [{{id: a, object: chat.completion.chunk, created: 1, model: gpt-4o, choices:
    [{{index: 0, finish_reason: stop, delta: {{content: "no. 536-22-1234 it is"}}}}]}},
    "[DONE]"]}}}}
"""


@pytest.fixture
def traced(tmp_path):
    def run(request, *options):
        (tmp_path / "fastgw.yaml").write_text(PHASES)
        (tmp_path / "one.yaml").write_text(request)
        done = CliRunner().invoke(simulate, [
            "-c", str(tmp_path / "fastgw.yaml"), "--request", str(tmp_path / "one.yaml"),
            *options])
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_the_answer_that_the_file_gives_goes_through_the_response_phase(traced):
    said = traced(WHOLE)
    for line in ("\non_http_response\n", "rule 0 'seen' (line 28): matches",
                 "      res.status  ->  201", "      res.headers['x-shard']  ->  'b'",
                 "  found actions.rate_limit.remaining = 1", "  * adds to the client  x-left: 1",
                 "rule 1 'dear' (line 32): matches", "      usage.output_tokens  ->  9",
                 "\nanswer: 201, ", "\n  x-left: 1", "  * collects the limit 'free' for [\"bob\"]",
                 "  taken    free for bob: 1 of 2 requests used", "allowed 201: openai chat"):
        assert line in said, said


def test_events_that_the_file_gives_are_looked_at(traced):
    said = traced(STREAM)
    assert "\non_event_stream_message\nrule 0 'numbers' (line 36): matches" in said, said
    assert "  * detect: redact: us_ssn in choices[0].delta.content" in said
    assert "rule 0 'seen' (line 28): does not match" in said


def test_variables_as_each_rule_found_them(traced):
    lucky, unlucky = ({json.loads(text)["rules"][4]["matched"]: json.loads(text)
                       for text in (traced(WHOLE, "--format", "json", "--seed", str(seed))
                                    for seed in range(6))}[matched] for matched in (True, False))
    rules = {rule["name"]: rule for rule in lucky["rules"]}
    assert rules["lucky"]["before"] == {} and rules["lucky"]["sets"] == {"vars.lucky": "'yes'"}
    assert rules["late"]["before"] == {"vars.lucky": "'yes'"} and rules["late"]["matched"]
    assert rules["late"]["does"][-1] == "adds to the provider  x-luck: yes"
    rules = {rule["name"]: rule for rule in unlucky["rules"]}
    assert not rules["late"]["matched"] and rules["late"]["before"] == {}


def test_time_and_chance_are_pinned(traced):
    night = traced(WHOLE, "--time", "2026-03-01T03:00:00Z")
    assert "time.hour  ->  3" in night and "matches, and decides" in night
    assert "rule 3 'lucky' (line 21): not reached" in night
    values = {re.search(r"random\(\)  ->  (\S+)", traced(WHOLE, "--seed", "11"))[1]
              for _ in range(2)}
    assert len(values) == 1


def test_a_time_that_is_none(simulated):
    done = simulated(f"{{request: {CHAT}}}", "--time", "noon")
    assert done.exit_code == 2 and "2026-03-01T10:00:00Z" in done.output


OVER_TIME = f"""\
tests:
  - name: two an hour, then again
    key: bob
    {DAY}
    request: {CHAT}
    repeat: 2
    expect: {{status: 200, limits: {{free: taken}}}}
    then:
      - {{after: 59s, expect: {{status: 429, rule: free, limits: {{free: refused}}}}}}
      - {{after: 30m, expect: {{status: 200, effects: {{free: rate-limit}}}}}}
      - {{key: alice, repeat: 3, expect: {{status: 200, unmatched: [free]}}}}
      - {{key: bob, after: 20h, expect: {{status: STATUS, rule: closed at night}}}}
"""


def test_limits_over_time(run):
    code, said = run(OVER_TIME.replace("STATUS", "403").replace("20h", "18h"))
    assert code == 0, said


def test_a_step_that_does_not_hold_names_its_line(run):
    code, said = run(OVER_TIME.replace("STATUS", "200").replace("20h", "18h"))
    assert code == 1 and "then[3] (line 12): status: expected 200, got 403" in said, said


LATE_TESTS = f"""\
tests:
  - {{name: whole, expect: {{status: 201, matched: [seen, dear], headers: {{x-left: "1"}},
     effects: {{dear: log, seen: "add-headers*"}}}}, {WHOLE.strip()[1:]}
  - {{name: streamed, expect: {{status: 200, unmatched: [seen], body: ["no. [REDACTED:us_ssn] it"],
     effects: {{numbers: "detect: redact: us_ssn*"}}}}, {STREAM.strip()[1:]}
"""


def test_what_is_expected_of_the_answers_phases(run):
    code, said = run(LATE_TESTS, PHASES)
    assert code == 0, said


@pytest.mark.parametrize("wrong, place, said", [
    (("matched: [seen", "matched: [sen"), "tests.yaml:2:51", "did you mean 'seen'?"),
    (("dear: log", "deer: log"), "tests.yaml:3:22", "did you mean 'dear'?"),
    (("unmatched: [seen]", "limits: {fre: taken}"), "tests.yaml:", "did you mean 'free'?"),
    (("unmatched: [seen]", "rule: nubmers"), "tests.yaml:", "did you mean 'numbers'?"),
])
def test_names_that_the_policy_does_not_have(run, wrong, place, said):
    code, output = run(LATE_TESTS.replace(*wrong), PHASES)
    assert code == 2 and place in output and said in output, output
