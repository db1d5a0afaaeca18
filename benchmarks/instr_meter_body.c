/* Meter an answer that is no stream, 635 bytes with its usage: from init to classes. */
#include "bench.h"
#include "fgw_dialect_meter.h"
#include "fgw_json_names.h"

static struct fgw_meter meter;
static struct fgw_json_names names;
static const char body[] =
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\","
    "\"created\":1741569952,"
    "\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
    "\"assistant\",\"content\":\"Because what is not counted cannot be limited, and what was not "
    "written down cannot be explained.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":"
    "\"stop\"}],\"usage\":{\"prompt_tokens\":31,\"completion_tokens\":19,\"total_tokens\":50,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
    "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},"
    "\"service_tier\":\"default\"}";

void bench_setup(void) {}

void bench_run(size_t n)
{
    struct fgw_usage usage;
    while (n--) {
        size_t at = 0;
        fgw_meter_init(&meter, FGW_DIALECT_OPENAI, FGW_OPERATION_CHAT, 0);
        meter.names = &names;
        while (fgw_meter_next(&meter, (const uint8_t *)body, sizeof(body) - 1, &at) !=
               FGW_METER_MORE) {
        }
        fgw_meter_end(&meter);
        bench_expect(fgw_meter_usage(&meter, &usage) & FGW_USAGE_PROVIDER);
    }
}
