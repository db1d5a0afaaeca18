/* fgw_action.c - what all actions share. */
#include "fgw_action.h"

#include <stddef.h>
#include <string.h>

#include "fgw_glob.h"

/* Expressions that failed may fill only half of the traces: a policy of many rules that ask for a
 * header which most requests lack must not push out the rules that matched. */
#define FAILED_TRACES_MAX 8

typedef int act(const struct fgw_action *, uint64_t, struct fgw_value *, struct fgw_effects *);

void fgw_effects_clear(struct fgw_effects *effects, struct fgw_said *said,
                       struct fgw_cel_run *run)
{
    memset(effects, 0, offsetof(struct fgw_effects, logs));
    effects->said = said;
    effects->known = NULL;
    effects->run = run;
    effects->rule = 0;
    effects->output_max = 0;
    effects->output_rule = 0;
    effects->detects = 0;
    effects->drain = NULL;
    if (said)
        said->fields_used = said->body_used = said->vars_used = 0;
}

int fgw_act(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
            struct fgw_effects *effects)
{
    static act *const ACTS[] = {
        [FGW_ACTION_DENY] = fgw_action_deny,
        [FGW_ACTION_RATE_LIMIT] = fgw_action_limit,
        [FGW_ACTION_CAP_OUTPUT] = fgw_action_output,
        [FGW_ACTION_RESTRICT_MODELS] = fgw_action_models,
        [FGW_ACTION_USAGE_CAP] = fgw_action_limit,
        [FGW_ACTION_CONCURRENCY_LIMIT] = fgw_action_limit,
        [FGW_ACTION_CUSTOM_RESPONSE] = fgw_action_answer,
        [FGW_ACTION_RESTRICT_IPS] = fgw_action_addresses,
        [FGW_ACTION_CAP_INPUT] = fgw_action_input,
        [FGW_ACTION_ROUTE] = fgw_action_route,
        [FGW_ACTION_ADD_HEADERS] = fgw_action_fields,
        [FGW_ACTION_REMOVE_HEADERS] = fgw_action_unfields,
        [FGW_ACTION_SET_VARS] = fgw_action_vars,
        [FGW_ACTION_LOG] = fgw_action_log,
        [FGW_ACTION_ON_ABORT] = fgw_action_abort,
        [FGW_ACTION_DETECT] = fgw_action_detect,
    };
    if (action->type >= sizeof ACTS / sizeof ACTS[0] || !ACTS[action->type])
        return fgw_action_refuse(effects, rule, action->type, 1, 500, FGW_CODE_POLICY_FAILED);
    return ACTS[action->type](action, rule, facts, effects);
}

void fgw_action_trace(struct fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                      uint16_t code, int64_t value)
{
    const int failed = type == FGW_ACTION_NONE && code == FGW_CODE_POLICY_FAILED;
    if (effects->rules_total < UINT16_MAX)
        effects->rules_total++;
    if (effects->n_rules >= (failed ? FAILED_TRACES_MAX : FGW_RULES_MAX))
        return;
    effects->rules[effects->n_rules++] = (struct fgw_rule_trace){
        .rule = rule, .action = type, .enforced = enforced, .code = code, .value = value};
}

void fgw_action_shadow(struct fgw_effects *effects, uint64_t rule)
{
    if (effects->shadows < FGW_SHADOWS_MAX)
        effects->shadow_rules[effects->shadows] = rule;
    if (effects->shadows < UINT16_MAX)
        effects->shadows++;
}

int fgw_action_refuse(struct fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                      uint16_t status, uint16_t code)
{
    fgw_action_trace(effects, rule, type, enforced, code, status);
    if (!enforced) {
        fgw_action_shadow(effects, rule);
        return 0;
    }
    effects->denied = 1;
    effects->deny_action = type;
    effects->status = status;
    effects->code = code;
    effects->message = 0;
    effects->rule = rule;
    return 1;
}

void fgw_action_result(const struct fgw_action *action, uint32_t number, struct fgw_value *facts,
                       const struct fgw_value *value)
{
    if (action->results[number])
        facts[action->results[number]] = *value;
}

void fgw_action_result_number(const struct fgw_action *action, uint32_t number,
                              struct fgw_value *facts, uint32_t type, int64_t value)
{
    struct fgw_value result = {.type = type};
    result.as.number = value;
    fgw_action_result(action, number, facts, &result);
}

void fgw_action_result_text(const struct fgw_action *action, uint32_t number,
                            struct fgw_value *facts, const uint8_t *bytes, uint32_t length)
{
    struct fgw_value result = {.bytes = bytes, .length = length, .type = FGW_VALUE_STRING};
    fgw_action_result(action, number, facts, &result);
}

void fgw_action_value(const struct fgw_cel_program *program, struct fgw_cel_run *run,
                      struct fgw_value *value)
{
    run->arena_used = 0;
    run->steps = FGW_CEL_STEPS;
    fgw_cel_eval(program, run, value);
}

int32_t fgw_action_say(const struct fgw_template *text, struct fgw_cel_run *run, uint8_t *out,
                       uint32_t room, int *failed)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < text->n_pieces; i++) {
        const struct fgw_piece *piece = &text->pieces[i];
        struct fgw_value value = {.bytes = piece->bytes, .length = piece->length};
        if (piece->program) {
            fgw_action_value(piece->program, run, &value);
            if (value.type != FGW_VALUE_STRING) {
                *failed = 1;
                continue;
            }
        }
        if (value.length > room - used)
            return -1;
        if (value.length)
            memcpy(out + used, value.bytes, value.length);
        used += value.length;
    }
    return (int32_t)used;
}

int fgw_patterns_match(const struct fgw_patterns *patterns, const uint8_t *text, uint32_t length)
{
    for (uint32_t i = 0; i < patterns->count; i++)
        if (fgw_glob_match(patterns->texts[i], patterns->lengths[i], text, length))
            return 1;
    return 0;
}
