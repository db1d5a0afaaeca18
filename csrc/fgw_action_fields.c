/* fgw_action_fields.c - add-headers and remove-headers.
 *
 * Fields are added behind those of the same name. Who wants to replace one removes it first.
 *
 * Reads     what `${...}` in the values asks for
 * Writes    said: whole lines; removed: the list's number. Results: added and refused; removed
 * Explains  how many; FGW-607 where a value could not stand in a head (CR, LF, a control byte, too
 *           long, no value) and its field was left out
 */
#include "fgw_action.h"

#include <string.h>

#include "fgw_ascii.h"
#include "fgw_http1_write.h"

#define VALUE_MAX 4096

uint32_t fgw_action_put_fields(const struct fgw_made_fields *fields, struct fgw_cel_run *run,
                               struct fgw_said *said)
{
    uint32_t refused = 0;
    for (uint32_t i = 0; i < fields->n_fields; i++) {
        const struct fgw_made_field *field = &fields->fields[i];
        uint8_t value[VALUE_MAX];
        int failed = 0;
        int32_t length = fgw_action_say(&field->value, run, value, sizeof value, &failed);
        if (length >= 0 && !failed)
            length = fgw_http1_put_field(said->fields + said->fields_used,
                                         FGW_SAID_FIELDS_MAX - said->fields_used,
                                         (const char *)field->name, field->name_length, value,
                                         (uint32_t)length);
        if (length < 0 || failed)
            refused++;
        else
            said->fields_used += (uint32_t)length;
    }
    return refused;
}

int fgw_action_fields(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects)
{
    const struct fgw_made_fields *fields = action->more;
    uint32_t refused = 0;
    if (action->enforced)
        refused = fgw_action_put_fields(fields, effects->run, effects->said);
    else
        fgw_action_shadow(effects, rule);
    const uint32_t added = fields->n_fields - refused;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_INT, action->enforced ? added : 0);
    fgw_action_result_number(action, 1, facts, FGW_VALUE_INT, refused);
    fgw_action_trace(effects, rule, FGW_ACTION_ADD_HEADERS, action->enforced,
                     refused ? FGW_CODE_FIELD_REFUSED : 0, added);
    return 0;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static int named(const struct fgw_names *names, const uint8_t *name, uint32_t length)
{
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t at = 0;
        if (names->lengths[i] != length)
            continue;
        while (at < length && lower(name[at]) == names->names[i][at])
            at++;
        if (at == length)
            return 1;
    }
    return 0;
}

/* Of the lines that earlier actions added, only those with other names stay. */
static void drop(struct fgw_said *said, const struct fgw_names *names)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < said->fields_used;) {
        const uint8_t *line = said->fields + at;
        const uint8_t *end = memchr(line, '\n', said->fields_used - at);
        const uint32_t length = (uint32_t)(end - line) + 1;
        const uint8_t *colon = memchr(line, ':', length);
        at += length;
        if (named(names, line, (uint32_t)(colon - line)))
            continue;
        memmove(said->fields + kept, line, length);
        kept += length;
    }
    said->fields_used = kept;
}

int fgw_action_unfields(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                        struct fgw_effects *effects)
{
    const struct fgw_names *names = action->more;
    fgw_action_result_number(action, 0, facts, FGW_VALUE_INT, names->count);
    if (!action->enforced)
        fgw_action_shadow(effects, rule);
    else if (effects->n_removed < FGW_LISTED_MAX) {
        effects->removed[effects->n_removed++] = (uint16_t)action->number;
        drop(effects->said, names);
    } else
        return fgw_action_refuse(effects, rule, FGW_ACTION_REMOVE_HEADERS, 1, 500,
                                 FGW_CODE_POLICY_FAILED);
    fgw_action_trace(effects, rule, FGW_ACTION_REMOVE_HEADERS, action->enforced, 0, names->count);
    return 0;
}
