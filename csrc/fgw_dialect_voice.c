#include "fgw_dialect_voice.h"

#include <string.h>

size_t fgw_voices_size(uint32_t count)
{
    return sizeof(struct fgw_voices) + count * sizeof(struct fgw_voice);
}

void fgw_voices_start(struct fgw_voices *voices, const struct fgw_bpe_vocabulary *vocabulary,
                      uint32_t count, int known)
{
    voices->vocabulary = vocabulary;
    voices->count = count;
    voices->known = known != 0;
    fgw_voices_forget(voices);
    for (uint32_t i = 0; i < count; i++) {
        struct fgw_voice *voice = &voices->voice[i];
        voice->text = voice->calls = voice->bytes = 0;
        voice->kind = FGW_VOICE_NONE;
        fgw_bpe_start(&voice->counter);
    }
}

static uint64_t of_call(uint64_t tokens, uint64_t bytes)
{
    uint64_t most = (bytes + FGW_VOICE_CALL_BYTES - 1) / FGW_VOICE_CALL_BYTES;

    return tokens < most ? tokens : most;
}

/* Its strings of one kind have ended. */
static void turn(struct fgw_voice *voice, const struct fgw_bpe_vocabulary *vocabulary,
                 enum fgw_voice_kind kind)
{
    if (voice->bytes) {
        uint64_t tokens = fgw_bpe_finish(&voice->counter, vocabulary);
        if (voice->kind == FGW_VOICE_CALL)
            voice->calls += of_call(tokens, voice->bytes);
        else
            voice->text += tokens;
        fgw_bpe_start(&voice->counter);
        voice->bytes = 0;
    }
    voice->kind = (uint8_t)kind;
}

static size_t wait(struct fgw_voices *voices, enum fgw_voice_kind kind, const uint8_t *bytes,
                   size_t length)
{
    size_t room = sizeof voices->waiting - voices->waiting_bytes;

    if (voices->waiting_bytes && voices->waiting_kind != kind)
        return 0; /* one kind at a time; nobody has been seen to mix them so */
    if (length > room)
        length = room;
    memcpy(voices->waiting + voices->waiting_bytes, bytes, length);
    voices->waiting_bytes = (uint16_t)(voices->waiting_bytes + length);
    voices->waiting_kind = (uint8_t)kind;
    return length;
}

size_t fgw_voices_hear(struct fgw_voices *voices, int64_t index, enum fgw_voice_kind kind,
                       const uint8_t *bytes, size_t length)
{
    if (!length)
        return 0;
    if (index < 0)
        return wait(voices, kind, bytes, length);
    struct fgw_voice *voice = &voices->voice[(uint64_t)index % voices->count];
    if (voice->kind != kind)
        turn(voice, voices->vocabulary, kind);
    fgw_bpe_feed(&voice->counter, voices->vocabulary, bytes, length);
    voice->bytes += length;
    return length;
}

void fgw_voices_told(struct fgw_voices *voices, int64_t index, enum fgw_voice_kind kind)
{
    if (!voices->waiting_bytes)
        return;
    if (kind == FGW_VOICE_NONE)
        kind = (enum fgw_voice_kind)voices->waiting_kind;
    fgw_voices_hear(voices, index < 0 ? 0 : index, kind, voices->waiting, voices->waiting_bytes);
    voices->waiting_bytes = 0;
}

void fgw_voices_forget(struct fgw_voices *voices)
{
    voices->waiting_bytes = 0;
    voices->waiting_kind = FGW_VOICE_NONE;
}

/* At most so many tokens more than fgw_bpe_tokens says: one for each byte that is undecided. */
static uint64_t lag(const struct fgw_bpe_count *counter)
{
    return counter->state ? FGW_BPE_TAIL : counter->tail_length + counter->partial_length;
}

static void add(struct fgw_voices_count *sum, const struct fgw_voice *voice, uint64_t tokens)
{
    sum->text += voice->text;
    sum->calls += voice->calls;
    if (voice->kind == FGW_VOICE_CALL)
        sum->calls += of_call(tokens, voice->bytes);
    else
        sum->text += tokens;
}

struct fgw_voices_count fgw_voices_tokens(const struct fgw_voices *voices, uint64_t edge)
{
    struct fgw_voices_count least = {0, 0}, exact = {0, 0};
    uint64_t behind = 0;

    for (uint32_t i = 0; i < voices->count; i++) {
        add(&least, &voices->voice[i], fgw_bpe_tokens(&voices->voice[i].counter));
        behind += lag(&voices->voice[i].counter);
    }
    if (least.text + least.calls + behind < edge)
        return least;
    for (uint32_t i = 0; i < voices->count; i++) {
        const struct fgw_bpe_count *counter = &voices->voice[i].counter;
        add(&exact, &voices->voice[i],
            voices->voice[i].bytes ? fgw_bpe_now(counter, voices->vocabulary) : 0);
    }
    return exact;
}
