#include "fgw_hash.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* ---- SHA-256: the round constants are cube roots of the first primes, 32 bits each ---- */

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate_right(uint32_t word, unsigned by)
{
    return (word >> by) | (word << (32 - by));
}

static inline uint32_t load_big32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

static void compress(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64], s[8];

    for (unsigned i = 0; i < 16; i++)
        w[i] = load_big32(block + 4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ (a >> 3)) +
               (rotate_right(b, 17) ^ rotate_right(b, 19) ^ (b >> 10));
    }
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t sum1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
        uint32_t choose = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t first = s[7] + sum1 + choose + ROUND[i] + w[i];
        uint32_t sum0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + sum0 + majority;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

typedef void (*compressor)(uint32_t state[8], const uint8_t block[64]);

static inline void hash(compressor step, const uint8_t *bytes, size_t length,
                        uint8_t digest[FGW_SHA256_BYTES])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t last[128] = {0};
    size_t whole = length & ~(size_t)63, rest = length - whole;
    size_t padded = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)length * 8;

    for (size_t at = 0; at < whole; at += 64)
        step(state, bytes + at);
    if (rest)
        memcpy(last, bytes + whole, rest);
    last[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        last[padded - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t at = 0; at < padded; at += 64)
        step(state, last + at);
    for (unsigned i = 0; i < FGW_SHA256_BYTES; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void fgw_sha256(const uint8_t *bytes, size_t length, uint8_t digest[FGW_SHA256_BYTES])
{
    hash(compress, bytes, length, digest);
}

#if defined(__x86_64__)
/* Four rounds an iteration. The processor wants the eight words in two halves, as a b e f and
 * c d g h from the top lane down, and makes the message's later words from four earlier quads. */
__attribute__((target("sha,sse4.1"))) static void compress_x86(uint32_t state[8],
                                                               const uint8_t block[64])
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i quads[16];

    low = _mm_shuffle_epi32(low, 0xb1);
    high = _mm_shuffle_epi32(high, 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xf0);
    const __m128i abef_before = abef, cdgh_before = cdgh;

    for (unsigned i = 0; i < 16; i++) {
        if (i < 4) {
            const void *from = block + (size_t)16 * i;
            quads[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)from), swap);
        } else {
            __m128i sum = _mm_sha256msg1_epu32(quads[i - 4], quads[i - 3]);
            sum = _mm_add_epi32(sum, _mm_alignr_epi8(quads[i - 1], quads[i - 2], 4));
            quads[i] = _mm_sha256msg2_epu32(sum, quads[i - 1]);
        }
        const void *constants = ROUND + (size_t)4 * i;
        __m128i word = _mm_add_epi32(quads[i], _mm_loadu_si128((const __m128i *)constants));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, word);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(word, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

int fgw_sha256_is_fast(void)
{
    unsigned a, b, c, d;

    /* Leaf 7: SHA extensions in EBX bit 29; leaf 1: SSE4.1 in ECX bit 19. */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 29 & 1))
        return 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 19 & 1);
}

void fgw_sha256_fast(const uint8_t *bytes, size_t length, uint8_t digest[FGW_SHA256_BYTES])
{
    hash(compress_x86, bytes, length, digest);
}
#else
int fgw_sha256_is_fast(void) { return 0; }

void fgw_sha256_fast(const uint8_t *bytes, size_t length, uint8_t digest[FGW_SHA256_BYTES])
{
    hash(compress, bytes, length, digest);
}
#endif

/* ---- SipHash-2-4 ---- */

static inline uint64_t rotate_left(uint64_t word, unsigned by)
{
    return (word << by) | (word >> (64 - by));
}

static inline uint64_t load_little64(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] = rotate_left(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static inline uint64_t sip_finish(uint64_t v[4])
{
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline void sip_absorb(uint64_t v[4], const uint8_t key[16], const uint8_t *bytes,
                              size_t length)
{
    uint64_t k0 = load_little64(key), k1 = load_little64(key + 8);
    uint64_t last = (uint64_t)length << 56;
    size_t whole = length & ~(size_t)7;

    v[0] = k0 ^ 0x736f6d6570736575;
    v[1] ^= k1 ^ 0x646f72616e646f6d; /* the caller put the variant's constant into v[1] */
    v[2] = k0 ^ 0x6c7967656e657261;
    v[3] = k1 ^ 0x7465646279746573;
    for (size_t at = 0; at < whole; at += 8)
        sip_word(v, load_little64(bytes + at));
    for (size_t at = whole; at < length; at++)
        last |= (uint64_t)bytes[at] << (8 * (at - whole));
    sip_word(v, last);
}

uint64_t fgw_siphash64(const uint8_t key[16], const uint8_t *bytes, size_t length)
{
    uint64_t v[4] = {0};

    sip_absorb(v, key, bytes, length);
    v[2] ^= 0xff;
    return sip_finish(v);
}

void fgw_siphash128(const uint8_t key[16], const uint8_t *bytes, size_t length, uint64_t out[2])
{
    uint64_t v[4] = {0, 0xee, 0, 0};

    sip_absorb(v, key, bytes, length);
    v[2] ^= 0xee;
    out[0] = sip_finish(v);
    v[1] ^= 0xdd;
    out[1] = sip_finish(v);
}

int fgw_equal_constant_time(const uint8_t *left, const uint8_t *right, size_t length)
{
    uint64_t difference = 0, one, other;
    size_t at = 0;

    for (; at + 8 <= length; at += 8) {
        memcpy(&one, left + at, 8);
        memcpy(&other, right + at, 8);
        difference |= one ^ other;
        __asm__ volatile("" : "+r"(difference)); /* no early exit may be made of this loop */
    }
    for (; at < length; at++) {
        difference |= (uint64_t)(left[at] ^ right[at]);
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}
