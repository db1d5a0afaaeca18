#include "fgw_dialect_prompt.h"

#include <string.h>

#include "fgw_dialect_face.h"

#define LEAST_SHARE 4 /* bytes of a token, at most, of all that is said to be saved */

/* The string is whole, or the body goes on unheard. */
static void count_string(struct fgw_prompt *prompt)
{
    struct fgw_bpe_count counter;

    if (!prompt->length)
        return;
    if (prompt->vocabulary) {
        fgw_bpe_start(&counter);
        fgw_bpe_feed(&counter, prompt->vocabulary, prompt->string, prompt->length);
        prompt->tokens += fgw_bpe_finish(&counter, prompt->vocabulary);
    }
    fgw_writing_hear(&prompt->writing, prompt->string, prompt->length);
    prompt->strings++;
    prompt->bytes += prompt->length;
    prompt->length = 0;
}

/* No string of what was fed is longer than that, so it has room. */
static void hear(void *listener, const uint8_t *bytes, size_t length)
{
    struct fgw_prompt *prompt = listener;

    if (prompt->json->string_bytes == length)
        count_string(prompt); /* of this one, these are the first */
    memcpy(prompt->string + prompt->length, bytes, length);
    prompt->length += length;
}

void fgw_prompt_count(struct fgw_prompt *prompt, struct fgw_json *json, uint8_t dialect,
                      const struct fgw_bpe_vocabulary *vocabulary, const uint8_t *body,
                      size_t length)
{
    const struct fgw_dialect_face *face = fgw_dialect_face(dialect);
    /* The table that requests are read by, but that its texts are heard. */
    struct fgw_json_node nodes[UINT8_MAX];
    struct fgw_json_spec spec = *face->ask;
    struct fgw_json_names *names = json->names; /* not for nodes that are gone in a moment */

    memcpy(nodes, spec.nodes, spec.node_count * sizeof *nodes);
    for (unsigned i = 0; i < spec.node_count; i++)
        if (nodes[i].text == FGW_JSON_TEXT)
            nodes[i].text = FGW_JSON_SAID;
    spec.nodes = nodes;
    prompt->vocabulary = vocabulary;
    prompt->json = json;
    prompt->bytes = prompt->tokens = prompt->strings = 0;
    memset(&prompt->writing, 0, sizeof prompt->writing);
    prompt->length = 0;
    fgw_json_init(json, &spec, face->ask_root);
    json->ear = hear;
    json->listener = prompt;
    (void)fgw_json_feed(json, body, length < FGW_PROMPT_HEARD ? length : FGW_PROMPT_HEARD);
    count_string(prompt);
    json->ear = NULL;
    json->listener = NULL;
    json->spec = face->ask;
    json->names = names;
}

uint64_t fgw_prompt_saved(const struct fgw_prompt *prompt)
{
    uint64_t least = prompt->bytes - prompt->bytes / LEAST_SHARE;
    uint64_t tokens = prompt->tokens + prompt->strings;

    if (!prompt->vocabulary || prompt->bytes <= tokens)
        return 0;
    return prompt->bytes - tokens < least ? prompt->bytes - tokens : least;
}
