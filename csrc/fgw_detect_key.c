#define _GNU_SOURCE /* memmem */

/* Keys of the issuers that mark them, JWTs, PEM private keys, e-mail addresses. */
#include "fgw_detect_kind.h"

/* What the tail of a key may consist of. */
enum tail { TAIL_ALNUM, TAIL_TOKEN /* and - _ */, TAIL_HEX, TAIL_UPPER, TAIL_DASHED };

enum key_flag {
    KEY_EXACT = 1,  /* the tail has `min` bytes, no more */
    KEY_MIXED = 2,  /* random: has digits as well as letters */
    KEY_CRC = 4,    /* ends in a checksum; where that is right, nothing else is asked for */
};

struct issuer_key {
    const char *prefix;
    uint8_t length;
    uint8_t tail;
    uint8_t min;
    uint8_t flags;
};
#define KEY_OF(prefix, tail, min, flags) {prefix, sizeof(prefix) - 1, tail, min, flags}

/* Longer prefixes before those that they begin with. */
static const struct issuer_key KEYS[] = {
    KEY_OF("sk-ant-", TAIL_TOKEN, 24, KEY_MIXED),             /* Anthropic */
    KEY_OF("sk-proj-", TAIL_TOKEN, 24, KEY_MIXED),            /* OpenAI */
    KEY_OF("sk-svcacct-", TAIL_TOKEN, 24, KEY_MIXED),
    KEY_OF("sk-admin-", TAIL_TOKEN, 24, KEY_MIXED),
    KEY_OF("sk-or-v1-", TAIL_HEX, 48, KEY_MIXED),             /* OpenRouter */
    KEY_OF("sk_live_", TAIL_ALNUM, 16, KEY_MIXED),            /* Stripe */
    KEY_OF("sk_test_", TAIL_ALNUM, 16, KEY_MIXED),
    KEY_OF("sk-", TAIL_ALNUM, 32, KEY_MIXED),                 /* OpenAI, DeepSeek, … */
    KEY_OF("rk_live_", TAIL_ALNUM, 16, KEY_MIXED),
    KEY_OF("rk_test_", TAIL_ALNUM, 16, KEY_MIXED),
    KEY_OF("whsec_", TAIL_ALNUM, 24, KEY_MIXED),
    KEY_OF("AKIA", TAIL_UPPER, 16, KEY_EXACT),               /* AWS */
    KEY_OF("ASIA", TAIL_UPPER, 16, KEY_EXACT),
    KEY_OF("AIza", TAIL_TOKEN, 35, KEY_EXACT | KEY_MIXED),    /* Google */
    KEY_OF("GOCSPX-", TAIL_TOKEN, 28, KEY_EXACT),
    KEY_OF("ghp_", TAIL_ALNUM, 36, KEY_EXACT | KEY_CRC),      /* GitHub */
    KEY_OF("gho_", TAIL_ALNUM, 36, KEY_EXACT | KEY_CRC),
    KEY_OF("ghu_", TAIL_ALNUM, 36, KEY_EXACT | KEY_CRC),
    KEY_OF("ghs_", TAIL_ALNUM, 36, KEY_EXACT | KEY_CRC),
    KEY_OF("ghr_", TAIL_ALNUM, 36, KEY_CRC),
    KEY_OF("github_pat_", TAIL_TOKEN, 60, KEY_MIXED),
    KEY_OF("glpat-", TAIL_TOKEN, 20, KEY_MIXED),              /* GitLab */
    KEY_OF("gsk_", TAIL_ALNUM, 40, KEY_MIXED),                /* Groq */
    KEY_OF("xox", TAIL_DASHED, 24, KEY_MIXED),                /* Slack */
    KEY_OF("xapp-", TAIL_DASHED, 24, KEY_MIXED),
    KEY_OF("xai-", TAIL_ALNUM, 48, KEY_MIXED),
    KEY_OF("npm_", TAIL_ALNUM, 36, KEY_EXACT | KEY_CRC),
    KEY_OF("pypi-", TAIL_TOKEN, 50, KEY_MIXED),
    KEY_OF("hf_", TAIL_ALNUM, 30, 0),                         /* Hugging Face */
    KEY_OF("SK", TAIL_HEX, 32, KEY_EXACT | KEY_MIXED),        /* Twilio */
    KEY_OF("dop_v1_", TAIL_HEX, 64, KEY_EXACT | KEY_MIXED),   /* DigitalOcean */
    KEY_OF("shpat_", TAIL_HEX, 32, KEY_EXACT | KEY_MIXED),    /* Shopify */
    KEY_OF("r8_", TAIL_ALNUM, 37, KEY_EXACT | KEY_MIXED),     /* Replicate */
    KEY_OF("pplx-", TAIL_ALNUM, 40, KEY_MIXED),
};
enum { TAIL_MAX = 256 };

static int in_tail(uint8_t byte, int tail)
{
    switch (tail) {
    case TAIL_HEX:
        return is(byte, DIGIT) || (byte >= 'a' && byte <= 'f');
    case TAIL_UPPER:
        return is(byte, UPPER | DIGIT);
    case TAIL_TOKEN:
        return is(byte, IN_KEY);
    case TAIL_DASHED:
        return is(byte, ALNUM) || byte == '-';
    default:
        return is(byte, ALNUM);
    }
}

/* Random text has many different letters; `xxxxxxxx` and `your-key-here` have few or no digits. */
static int is_random(const uint8_t *text, uint32_t length, int mixed)
{
    uint64_t seen[4] = {0, 0, 0, 0};
    uint32_t different = 0, digits = 0, wanted = length / 3 > 8 ? 8 : length / 3;

    for (uint32_t i = 0; i < length; i++) {
        uint64_t bit = UINT64_C(1) << (text[i] & 63);
        different += !(seen[text[i] >> 6] & bit);
        seen[text[i] >> 6] |= bit;
        digits += is(text[i], DIGIT) != 0;
    }
    return different >= wanted && (!mixed || (digits && digits < length));
}

/* GitHub and npm: the last six characters are the CRC-32 of those before, in base 62. */
static int has_crc(const uint8_t *text, uint32_t length)
{
    static const char BASE62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t crc = 0xffffffffu;

    if (length < 7)
        return 0;
    for (uint32_t i = 0; i < length - 6; i++) {
        crc ^= text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    crc = ~crc;
    for (uint32_t i = length; i-- > length - 6; crc /= 62)
        if (text[i] != (uint8_t)BASE62[crc % 62])
            return 0;
    return 1;
}

static enum look_answer look_tail(const struct look *look, uint32_t at,
                                  const struct issuer_key *key, struct fgw_detect_find *find)
{
    uint32_t begin = at + key->length, place = begin;

    while (place < look->end && place - begin < TAIL_MAX && in_tail(look->text[place], key->tail))
        place++;
    if (runs_out(look, place) && place - begin < TAIL_MAX)
        return key->flags & KEY_EXACT && place - begin > key->min ? LOOK_NO : LOOK_OPEN;
    if (key->tail == TAIL_TOKEN || key->tail == TAIL_DASHED)
        while (place > begin && !is(look->text[place - 1], ALNUM) && !(key->flags & KEY_EXACT))
            place--;
    uint32_t length = place - begin;
    if (length < key->min || (key->flags & KEY_EXACT && length != key->min))
        return LOOK_NO;
    if (place < look->end && length < TAIL_MAX && is(look->text[place], ALNUM))
        return LOOK_NO;
    if (!(key->flags & KEY_CRC && has_crc(look->text + begin, length)) &&
        !is_random(look->text + begin, length, key->flags & KEY_MIXED))
        return LOOK_NO;
    find->start = at;
    find->end = place;
    find->swallow = length == TAIL_MAX ? FGW_SWALLOW_TOKEN : FGW_SWALLOW_NONE;
    return LOOK_YES;
}

/* SendGrid: SG.<22>.<43>. */
static enum look_answer look_sendgrid(const struct look *look, uint32_t at,
                                      struct fgw_detect_find *find)
{
    static const uint8_t PARTS[2] = {22, 43};
    uint32_t place = at + 2;

    for (int part = 0; part < 2; part++) {
        if (runs_out(look, place))
            return LOOK_OPEN;
        if (place >= look->end || look->text[place++] != '.')
            return LOOK_NO;
        for (unsigned i = 0; i < PARTS[part]; i++, place++) {
            if (runs_out(look, place))
                return LOOK_OPEN;
            if (!is_at(look, place, IN_KEY))
                return LOOK_NO;
        }
    }
    if (runs_out(look, place))
        return LOOK_OPEN;
    if (is_at(look, place, IN_KEY))
        return LOOK_NO;
    find->start = at;
    find->end = place;
    return LOOK_YES;
}

/* Secrets without a mark of their own: only what stands before them says what they are. AWS: 40
 * characters of base64; Azure storage: 86 and two =. */
static enum look_answer look_unmarked(const struct look *look, uint32_t at,
                                      struct fgw_detect_find *find)
{
    uint32_t place = at;

    while (place < look->end && place - at <= 90 &&
           (is(look->text[place], ALNUM) || look->text[place] == '/' || look->text[place] == '+'))
        place++;
    if (runs_out(look, place) && place - at <= 86) {
        if (place - at < 12)
            return LOOK_NO; /* the word at the end is kept in any case */
        return fgw_look_before(look, at, FGW_DETECT_CONTEXT, "secret|accountkey|account_key|"
                               "account-key") ? LOOK_OPEN : LOOK_NO;
    }
    uint32_t length = place - at;
    if (length == 40) {
        if (!is_random(look->text + at, length, 1) ||
            !fgw_look_before(look, at, FGW_DETECT_CONTEXT, "aws_secret|secretaccess|"
                             "secret_access|secret access|aws secret|secret-access|awssecret"))
            return LOOK_NO;
    } else if (length == 86) {
        if (runs_out(look, place + 1))
            return LOOK_OPEN;
        if (place + 2 > look->end || memcmp(look->text + place, "==", 2) ||
            !fgw_look_before(look, at, FGW_DETECT_CONTEXT, "accountkey|account_key|account-key|"
                             "storage"))
            return LOOK_NO;
        place += 2;
    } else {
        return LOOK_NO;
    }
    find->start = at;
    find->end = place;
    return LOOK_YES;
}

enum look_answer fgw_look_key(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    const uint8_t *text = look->text + at;
    uint32_t left = look->end - at;

    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if ((uint8_t)KEYS[i].prefix[0] != text[0] || left < KEYS[i].length ||
            memcmp(text, KEYS[i].prefix, KEYS[i].length))
            continue;
        enum look_answer answer = look_tail(look, at, &KEYS[i], find);
        if (answer != LOOK_NO)
            return answer;
    }
    if (left >= 3 && !memcmp(text, "SG.", 3))
        return look_sendgrid(look, at, find);
    if (at && (is(look->text[at - 1], IN_KEY) || look->text[at - 1] == '/' ||
               look->text[at - 1] == '+'))
        return LOOK_NO;
    return look_unmarked(look, at, find);
}

static int is_token(uint8_t byte)
{
    return is(byte, IN_KEY) || byte == '.';
}

/* eyJ….eyJ…: certain once the second part has begun; the rest is swallowed. */
enum look_answer fgw_look_jwt(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    uint32_t place = at, dot = 0;

    if (look->end - at < 3 || memcmp(look->text + at, "eyJ", 3))
        return LOOK_NO;
    for (; place < look->end && place - at < FGW_DETECT_HOLD - 32; place++) {
        if (!is_token(look->text[place]))
            break;
        if (look->text[place] == '.') {
            if (dot)
                break;
            dot = place;
        }
        if (dot && place - dot == 12)
            break;
    }
    if (place >= look->end)
        return look->final ? LOOK_NO : LOOK_OPEN;
    if (!dot || dot - at < 12 || place - dot < 12 || memcmp(look->text + dot + 1, "eyJ", 3))
        return LOOK_NO;
    find->start = at;
    find->end = place;
    find->swallow = FGW_SWALLOW_TOKEN;
    return LOOK_YES;
}

static int is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The first 32 characters of base64 behind the header line and `Proc-Type: …` lines. */
static enum look_answer look_pem_body(const struct look *look, uint32_t at, uint32_t begin,
                                      struct fgw_detect_find *find)
{
    uint32_t place = at, run = 0;

    for (; place < look->end && place - begin < FGW_DETECT_HOLD - 8; place++) {
        uint8_t byte = look->text[place];
        if (byte == '\\' || is_blank(byte) || is_escape_letter(look, place)) {
            if (byte != '\\')
                run = 0;
        } else if (is(byte, ALNUM) || byte == '+' || byte == '/' || byte == '=') {
            if (++run == 32) {
                find->start = begin;
                find->end = place + 1;
                find->swallow = FGW_SWALLOW_PEM;
                return LOOK_YES;
            }
        } else if (byte == ':' || byte == ',' || byte == '-') {
            run = 0; /* headers of an encrypted key */
        } else {
            return LOOK_NO;
        }
    }
    return runs_out(look, place) ? LOOK_OPEN : LOOK_NO;
}

enum look_answer fgw_look_pem(const struct look *look, uint32_t at, struct fgw_detect_find *find)
{
    static const char BEGIN[] = "-----BEGIN ";
    uint32_t place = at, begin = at, dash;

    for (; place - at < sizeof BEGIN - 1; place++) {
        if (place >= look->end)
            return look->final ? LOOK_NO : LOOK_OPEN;
        if (look->text[place] != (uint8_t)BEGIN[place - at])
            return LOOK_NO;
    }
    for (dash = place; dash < look->end && dash - at < 64; dash++)
        if (!is(look->text[dash], UPPER | DIGIT) && look->text[dash] != ' ')
            break;
    if (runs_out(look, dash + 4))
        return dash - at < 64 ? LOOK_OPEN : LOOK_NO;
    if (dash + 5 > look->end || memcmp(look->text + dash, "-----", 5))
        return LOOK_NO;
    int private = 0;
    for (uint32_t i = place; i + 11 <= dash && !private; i++)
        private = !memcmp(look->text + i, "PRIVATE KEY", 11);
    return private ? look_pem_body(look, dash + 5, begin, find) : LOOK_NO;
}

/* Ends of names that stand behind an @ and are no domain: pictures, code, archives. */
static const char FILES[] = "|png|jpg|jpeg|gif|svg|webp|css|js|ts|tsx|jsx|py|json|html|md|txt|tgz|"
                            "zip|gz|yml|yaml|lock|cpp|java|rb|rs|go|sh|map|mjs|cjs|";

static int is_top_level(const uint8_t *text, uint32_t length)
{
    char name[8];

    if (length < 2 || length > 24)
        return 0;
    if (length > 4 && !memcmp(text, "xn--", 4))
        return 1;
    for (uint32_t i = 0; i < length; i++)
        if (!is(text[i], UPPER | LOWER))
            return 0;
    if (length > 5)
        return 1;
    name[0] = '|';
    for (uint32_t i = 0; i < length; i++)
        name[i + 1] = (char)(text[i] | 0x20);
    name[length + 1] = '|';
    return !memmem(FILES, sizeof FILES - 1, name, length + 2);
}

/* Where the local part before the @ begins; `at` if there is none. *reach: what that was told
 * from, which must not be taken apart before the address is decided. */
static uint32_t local_start(const struct look *look, uint32_t at, uint32_t *reach)
{
    uint32_t start = at;

    while (start > look->from && at - start <= 64 && is(look->text[start - 1], LOCAL))
        start--;
    if (at - start > 64 || (start && start == look->from && is(look->text[start - 1], LOCAL)))
        return at;
    *reach = start;
    if (is_escape_letter(look, start))
        start++;
    while (start < at && !is(look->text[start], WORD))
        start++;
    return start < at && look->text[at - 1] == '.' ? at : start;
}

enum look_answer fgw_look_email(const struct look *look, uint32_t at,
                                struct fgw_detect_find *find)
{
    uint32_t start = local_start(look, at, &find->start);
    uint32_t place = at + 1, label = place, end = 0, labels = 0;

    if (start == at)
        return LOOK_NO;
    for (;; place++) {
        int inside = place < look->end && place - at < 254;
        uint8_t byte = inside ? look->text[place] : 0;
        if (inside && (is(byte, ALNUM) || byte == '-'))
            continue;
        if (place > label && place - label <= 63 && look->text[label] != '-' &&
            look->text[place - 1] != '-') {
            labels++;
            end = labels > 1 && is_top_level(look->text + label, place - label) ? place : 0;
        } else {
            break; /* an empty label: the dot before it ends a sentence */
        }
        if (byte != '.')
            break;
        label = place + 1;
    }
    if (runs_out(look, place) && place - at < 254)
        return LOOK_OPEN;
    if (!end || is_at(look, end, WORD))
        return LOOK_NO;
    if (at - start == 3 && !memcmp(look->text + start, "git", 3))
        return LOOK_NO; /* git@host:path is an address of code */
    find->start = start;
    find->end = end;
    return LOOK_YES;
}
