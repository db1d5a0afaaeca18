"""What rules say of an exchange beyond the verdict: fields, answers, late rules, logs.

Only exchanges of a policy that says more pay for it: `Exchange.said` is None for all others.
"""

import orjson

from libc.stdint cimport uint16_t, uint8_t
from libc.string cimport memcpy

from fastgw.codes cimport CODE_DENIED, CODE_INPUT_TOO_LONG
from fastgw.exchange cimport Said
from fastgw.identity.facts cimport same_name
from fastgw.native.counters cimport fgw_count_shadow
from fastgw.native.http1 cimport fgw_http1_put_status
from fastgw.native.policy cimport FGW_LISTED_MAX, FGW_SHADOWS_MAX, fgw_said, fgw_value
from fastgw.native.record cimport FGW_LIMIT_TAKEN, FGW_LIMIT_UNDONE
from fastgw.policy.builder cimport Words
from fastgw.policy.late cimport Late
from fastgw.policy.traced cimport run_answer_traced, run_end_traced
from fastgw.usage.account cimport input_of, output_of

from fastgw.detect.detector import KINDS
from fastgw.explain.refusal import escaped
from fastgw.ledger.vocabulary import ACTIONS, effect, word

cdef enum:
    MESSAGE_MAX = 512        # characters of a denial's message that a rule makes
    NOTE_MAX = 3900          # bytes of a note: FGW_NAME_NOTE holds a little more
    VALUE_MAX = 512          # characters of a value in a note that would be longer, or less


cdef int remove_fields(fgw_head *head, const uint8_t *source, tuple names) except -1:
    """As if the message named them in Connection: they are not passed on."""
    cdef bytes name
    cdef int i
    for i in range(head.n_headers):
        for name in names:
            if head.headers[i].name_len == len(name) and same_name(
                source + head.headers[i].name_off, name, <size_t>len(name)
            ):
                head.headers[i].nominated = 1
    return 0


cdef class Sayings:
    def __init__(self, Policy policy, Facts facts, Journal journal, log):
        self.policy = policy
        self.facts = facts
        self.journal = journal
        self.log = log
        self.kinds = [*KINDS, *(name for name, _, _ in policy.patterns.rows)]
        self.shadow_limits = any(not spec.enforced for spec in policy.limits)
        self.names = {hash: text for _, hash, text in policy.names()}

    cdef int after_policy(self, Exchange x) except -1:
        cdef Policy policy = self.policy
        cdef Said said = None
        cdef int i
        self._count(&x.effects)
        if x.effects.denied:
            if x.effects.code == CODE_INPUT_TOO_LONG:
                x.reason = b"about %d input tokens, and this rule lets %d pass" % (
                    x.input_estimate, x.effects.input_max)
            elif x.effects.spoken:
                x.reason = spoken(x.effects.said.body[:x.effects.said.body_used])
        if not (policy.answers or policy.ends or x.effects.n_logs or x.effects.n_removed or (
            x.effects.said != NULL and x.effects.said.fields_used
        )):
            return 0
        said = x.said = Said.__new__(Said)
        said.kept = said.asked = policy.late.remember(self.facts.values)
        said.n_logs = x.effects.n_logs
        memcpy(said.logs, x.effects.logs, sizeof(said.logs))
        if x.effects.denied:
            return 0
        if x.effects.said != NULL and x.effects.said.fields_used:
            said.to_provider = x.effects.said.fields[:x.effects.said.fields_used]
        for i in range(x.effects.n_removed):
            remove_fields(&x.head, x.bytes, self.policy.removals[x.effects.removed[i]])
        return 0

    cdef int before_answer(self, Exchange x, fgw_head *head, const uint8_t *source) except -1:
        cdef fgw_effects *effects = &self.effects
        cdef Said said = x.said
        cdef int i
        if not self.policy.answers:
            return 0
        # (An answer before this one may have broken off while it was kept back.)
        said.to_client = None
        said.kept = said.asked
        said.n_logs = x.effects.n_logs
        self._refill(x, NULL)
        self._fill_head(x, head, source)
        if self.policy.tracer is None:
            self.policy.run_answer(self.facts.values, &self.facts.source, effects)
        else:
            run_answer_traced(self.policy, self.facts.values, &self.facts.source, effects)
        said.late_rules = []
        self._keep_rules(x, said.late_rules)
        said.kept = self.policy.late.remember(self.facts.values)
        for i in range(effects.n_logs):
            add_log(said, effects.logs[i])
        if effects.denied:
            x.effects.denied = 1
            x.effects.status = effects.status
            x.effects.code = effects.code
            x.effects.message = effects.message
            x.effects.rule = effects.rule
            if effects.spoken:
                x.reason = spoken(effects.said.body[:effects.said.body_used])
            return effects.code or CODE_DENIED
        if effects.said != NULL and effects.said.fields_used:
            said.to_client = effects.said.fields[:effects.said.fields_used]
        for i in range(effects.n_removed):
            remove_fields(head, source, self.policy.removals[effects.removed[i]])
        return 0

    cdef int _count(self, const fgw_effects *effects) except -1:
        cdef int i
        for i in range(effects.shadows):
            fgw_count_shadow(
                self.counters, effects.shadow_rules[i] if i < <int>FGW_SHADOWS_MAX else 0, False)
        return 0

    cdef int count_shadows(self, Exchange x) except -1:
        cdef int i
        for i in range(x.n_traces):
            if not x.traces[i].enforced and x.traces[i].verdict not in (
                FGW_LIMIT_TAKEN, FGW_LIMIT_UNDONE
            ):
                fgw_count_shadow(self.counters, x.effects.demands[i].rule, True)
        return 0

    cdef int tell_reason(self, Exchange x) except -1:
        cdef bytes text = x.reason
        if text is None and x.effects.denied and x.effects.message:
            text = escaped(self.policy.messages[x.effects.message - 1].decode()[:MESSAGE_MAX])
        if text is not None:
            text = b'{"reason":"%b"}' % text
            self.journal.note(
                &x.id, <const uint8_t *>text, <size_t>len(text), x.attempt == 0)
        return 0

    cdef int _fill_head(self, Exchange x, fgw_head *head, const uint8_t *source) except -1:
        """Repeated fields are one value, joined by ", " (RFC 9110 section 5.3)."""
        cdef Late late = self.policy.late
        cdef bytes name, value
        cdef int i
        late.fill("res.status", head.status, self.facts.values)
        for place, name in late.headers:
            value = None
            for i in range(head.n_headers):
                if head.headers[i].name_len == len(name) and same_name(
                    source + head.headers[i].name_off, name, <size_t>len(name)
                ):
                    one = (source + head.headers[i].value_off)[:head.headers[i].value_len]
                    value = one if value is None else value + b", " + one
            late.put(place, value, self.facts.values)
        return 0

    cdef int _refill(self, Exchange x, const fgw_record_close *close) except -1:
        """All facts once more, as far as they are known by now: others have used their places."""
        cdef Late late = self.policy.late
        cdef fgw_value *values = self.facts.values
        late.begin()
        self.facts.fill(x, x.client.address_text)
        late.recall(x.said.kept, values)
        late.limits(&x.effects, x.traces, x.n_traces, values)
        late.detected(x.said, self.kinds, values)
        late.fill("res.status", x.status or None, values)
        late.fill("upstream.provider", served(x.provider_line), values)
        model = served(x.model_line)
        if model is None and x.provider_line is not None:
            model = x.ask.model[:x.ask.model_bytes]
        late.fill("upstream.model", model, values)
        late.fill("upstream.attempts", x.attempt, values)
        if close != NULL:
            self._fill_usage(close)
        return 0

    cdef int _fill_usage(self, const fgw_record_close *close) except -1:
        """As INTERFACE section 5 has it; of the attempt that was answered."""
        cdef Late late = self.policy.late
        cdef fgw_value *values = self.facts.values
        cost = close.cost_nano_usd / 1e9 if close.cost_nano_usd >= 0 else None
        late.fill("usage.input_tokens", input_of(close), values)
        late.fill("usage.output_tokens", output_of(close), values)
        late.fill("usage.cached_input_tokens", close.tokens.cached_input, values)
        late.fill("usage.cache_write_tokens",
                  close.tokens.cache_write + close.tokens.cache_write_1h, values)
        late.fill("usage.reasoning_tokens", close.tokens.reasoning, values)
        late.fill("usage.cost", cost, values)
        return 0

    cdef int _keep_rules(self, Exchange x, list kept) except -1:
        """What the rules of the response phase did, for the decision record."""
        cdef int i
        self._count(&self.effects)
        for i in range(self.effects.n_rules):
            rule = self.effects.rules[i]
            kept.append({
                "name": self.names.get(rule.rule, ""), "matched": True,
                "enforced": bool(rule.enforced),
                "effect": effect(word(ACTIONS, rule.action), rule.value, rule.code,
                                 bool(rule.enforced)),
                "phase": "on_http_response",
            })
        return 0

    cdef bytes answer(self, Exchange x, Explainer explainer):
        cdef uint8_t[64] line
        cdef fgw_said *said = x.effects.said
        cdef int length = fgw_http1_put_status(line, 64, x.effects.status)
        cdef bytes head = line[:length] + said.fields[:said.fields_used]
        body = said.body[:said.body_used]
        x.status = x.effects.status
        if x.status not in (204, 304):
            head += b"content-length: %d\r\n" % len(body)
        if x.client.close_after:
            head += b"connection: close\r\n"
        head += b"x-fastgw-request-id: %b\r\nx-fastgw-code: FGW-%d\r\n%b%b" % (
            x.id_text[:x.id_length], x.effects.code, explainer.policy_line(),
            explainer.rule_line(x.effects.rule) or b"")
        return head + b"\r\n" + body

    cdef int tell(self, Exchange x, const fgw_record_close *close, bint refused) except -1:
        cdef Said said = x.said
        cdef Words words
        cdef list late = said.late_rules or []
        cdef int i
        if said.n_logs == 0 and not late and not self.policy.ends:
            return 0
        self._refill(x, close)
        if self.policy.ends and close != NULL:
            if self.policy.tracer is None:
                self.policy.run_end(self.facts.values, &self.facts.source, &self.effects)
            else:
                run_end_traced(
                    self.policy, self.facts.values, &self.facts.source, &self.effects)
            self._keep_rules(x, late)
            for i in range(self.effects.n_logs):
                add_log(said, self.effects.logs[i])
        if late:
            self._note(x, {"rules": late}, refused)
        request_id = x.id_text[:x.id_length].decode()
        for i in range(said.n_logs):
            rule, texts = self.policy.logs[said.logs[i]]
            metadata = {}
            for name, text in texts:
                words = <Words>text
                metadata[name] = self.policy.say(words, self.facts.values, &self.facts.source)
            self.log.note("policy", request_id=request_id, rule=rule, metadata=metadata)
            self._note(x, {"rule": rule, "metadata": metadata}, refused)
        return 0

    cdef int _note(self, Exchange x, dict note, bint refused) except -1:
        cdef bytes text = orjson.dumps(note)
        cdef int most = VALUE_MAX
        while len(text) > NOTE_MAX:
            if "metadata" in note:
                cut = {"metadata": {name: value[:most] for name, value in
                                    note["metadata"].items()}}
            else:
                cut = {"rules": note["rules"][:most]}
            most //= 2
            text = orjson.dumps({**note, **cut, "cut": True})
        self.journal.note(&x.id, <const uint8_t *>text, <size_t>len(text), refused)
        return 0


cdef int add_log(Said said, uint16_t number) except -1:
    if said.n_logs < FGW_LISTED_MAX:
        said.logs[said.n_logs] = number
        said.n_logs += 1
    return 0


cdef bytes spoken(bytes message):
    """A message that a rule made, as it stands between the quotes of a JSON string."""
    text = message.decode("utf-8", "replace")[:MESSAGE_MAX]
    return escaped("".join(c if c.isprintable() else " " for c in text).rstrip("."))


cdef bytes served(bytes line):
    """The value of a whole line of a head."""
    return None if line is None else line.partition(b": ")[2].rstrip()
