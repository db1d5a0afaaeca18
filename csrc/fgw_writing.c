#include "fgw_writing.h"

/* A kind's share of the letters, in per cent, above which a text is of it. */
enum { FOREIGN = 5, CJK = 20, CYRILLIC = 20, ACCENTED = 1, SIGNED = 12 };

static int is_space(uint32_t code)
{
    if (code < 0x80)
        return code == ' ' || (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x1f);
    switch (code) {
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000:
        return 1;
    default:
        return code >= 0x2000 && code <= 0x200a;
    }
}

/* Digits and punctuation but for . , ' - ? ! " */
static int is_sign(uint32_t code)
{
    if (code <= ' ' || code >= 0x7f)
        return 0;
    if ((code | 0x20) >= 'a' && (code | 0x20) <= 'z')
        return 0;
    return code != '.' && code != ',' && code != '\'' && code != '-' && code != '?' &&
           code != '!' && code != '"';
}

static void take(struct fgw_writing_count *count, uint32_t code)
{
    if (is_space(code))
        return;
    count->letters++;
    if (code < 0x80)
        count->signs += (uint64_t)is_sign(code);
    else if ((code >= 0x2e80 && code < 0xa000) || (code >= 0xf900 && code < 0xfb00) ||
             (code >= 0xff00 && code < 0xfff0))
        count->cjk++;
    else if (code >= 0x400 && code < 0x530)
        count->cyrillic++;
    else if (code >= 0xc0 && code < 0x250)
        count->accented++;
    else if ((code >= 0x250 && code < 0x2000) || code >= 0xa000)
        count->foreign++;
}

static void lead(struct fgw_writing_count *count, uint8_t byte)
{
    if (byte < 0x80) {
        take(count, byte);
    } else if (byte < 0xc2 || byte > 0xf4) {
        take(count, 0xfffd);
    } else {
        count->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        count->code = byte & (0x3fu >> count->left);
    }
}

void fgw_writing_hear(struct fgw_writing_count *count, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (count->left && (bytes[i] & 0xc0) == 0x80) {
            count->code = count->code << 6 | (bytes[i] & 0x3fu);
            if (!--count->left)
                take(count, count->code);
            continue;
        }
        if (count->left)
            take(count, 0xfffd);
        count->left = 0;
        lead(count, bytes[i]);
    }
}

static int above(uint64_t part, unsigned share, uint64_t whole)
{
    return part * 100 > whole * share;
}

enum fgw_writing fgw_writing_of(const struct fgw_writing_count *count)
{
    if (!count->letters)
        return FGW_WRITING_CODE;
    if (above(count->foreign, FOREIGN, count->letters))
        return FGW_WRITING_OTHER;
    if (above(count->cjk, CJK, count->letters))
        return FGW_WRITING_CJK;
    if (above(count->cyrillic, CYRILLIC, count->letters))
        return FGW_WRITING_CYRILLIC;
    if (above(count->accented, ACCENTED, count->letters))
        return FGW_WRITING_EUROPEAN;
    return above(count->signs, SIGNED, count->letters) ? FGW_WRITING_CODE : FGW_WRITING_PROSE;
}

uint64_t fgw_writing_tokens(const struct fgw_ratios *ratios, enum fgw_writing writing,
                            uint64_t tokens, uint64_t heard, uint64_t total)
{
    unsigned __int128 up, down = 1000;
    uint64_t found;

    if (tokens && heard) {
        up = (unsigned __int128)total * tokens * ratios->by_count[writing];
        down *= heard;
    } else {
        up = (unsigned __int128)total * ratios->by_bytes[writing];
    }
    found = (uint64_t)((up + down / 2) / down);
    return found < total ? found : total;
}
