/* bench.h - what a bench in C defines, and texts that several of them read. */
#ifndef FGW_BENCH_H
#define FGW_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void bench_setup(void);
void bench_run(size_t n); /* n times the operation */

/* What a kernel returned must be what it should be: a bench of a refusal would look fast. */
static inline void bench_expect(int so)
{
    if (!so) abort();
}

/* 300 bytes of chat request, as an SDK writes it. */
#define BENCH_CHAT_HEAD                                                                       \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"You are a careful assistant.\"},"      \
    "{\"role\":\"user\",\"content\":\"Say in one sentence why a proxy should count what "    \
    "passes through it, and what it must never do with it all."
#define BENCH_CHAT_TAIL                                                                       \
    "\"}],\"model\":\"gpt-4o\",\"max_tokens\":256,\"stream\":true,\"temperature\":0.5,"       \
    "\"user\":\"u-123456789abcd\"}"

/* One delta of a chat stream: 260 bytes with the blank line. */
#define BENCH_EVENT                                                                           \
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6\",\"object\":"                    \
    "\"chat.completion.chunk\",\"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\","       \
    "\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":"      \
    "[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,"                      \
    "\"finish_reason\":null}]}\n\n"

#endif
