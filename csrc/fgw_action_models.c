/* fgw_action_models.c - restrict-models: only some models may be asked for.
 *
 * Reads     ai.model, ai.provider, ai.operation, req.method
 * Writes    denied; result restricted
 * Explains  FGW-602 where the model is not on its list
 */
#include "fgw_action.h"

#include <string.h>

static int is_text(const struct fgw_value *value)
{
    return value->type == FGW_VALUE_STRING && value->length > 0;
}

static int says(const struct fgw_value *value, const char *word)
{
    const size_t length = strlen(word);
    return value->type == FGW_VALUE_STRING && value->length == length
           && memcmp(value->bytes, word, length) == 0;
}

/* A request without a model passes only where it can start no generation: an unread model (a
 * multipart body, a batch) must not be a way round. */
int fgw_model_allowed(const struct fgw_patterns *allow, const struct fgw_patterns *deny,
                      const struct fgw_value *facts)
{
    const struct fgw_value *model = &facts[FGW_FACT_AI_MODEL];
    const struct fgw_value *provider = &facts[FGW_FACT_AI_PROVIDER];
    const struct fgw_value *operation = &facts[FGW_FACT_AI_OPERATION];
    const struct fgw_value *method = &facts[FGW_FACT_REQ_METHOD];
    const uint8_t *bare = NULL;
    uint32_t bare_length = 0;
    if (!is_text(model))
        return says(method, "GET") || says(method, "HEAD") || says(method, "DELETE")
               || says(operation, "models") || says(operation, "files");
    /* `openai/gpt-4o` pins a provider: a pattern may name the model with or without it. */
    if (is_text(provider) && model->length > provider->length + 1
        && model->bytes[provider->length] == '/'
        && memcmp(model->bytes, provider->bytes, provider->length) == 0) {
        bare = model->bytes + provider->length + 1;
        bare_length = model->length - provider->length - 1;
    }
    if (fgw_patterns_match(deny, model->bytes, model->length)
        || (bare && fgw_patterns_match(deny, bare, bare_length)))
        return 0;
    return !allow->given || fgw_patterns_match(allow, model->bytes, model->length)
           || (bare && fgw_patterns_match(allow, bare, bare_length));
}

int fgw_action_models(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                      struct fgw_effects *effects)
{
    const struct fgw_models *models = action->more;
    const int allowed = fgw_model_allowed(&models->allow, &models->deny, facts);
    fgw_action_result_number(action, 0, facts, FGW_VALUE_BOOL, !allowed);
    if (!allowed)
        return fgw_action_refuse(effects, rule, FGW_ACTION_RESTRICT_MODELS, action->enforced, 403,
                                 FGW_CODE_MODEL_RESTRICTED);
    fgw_action_trace(effects, rule, FGW_ACTION_RESTRICT_MODELS, action->enforced, 0, 0);
    return 0;
}
