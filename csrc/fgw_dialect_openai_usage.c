#include "fgw_dialect_openai_usage.h"

#include <string.h>

#include "fgw_dialect_slots.h"

void fgw_openai_take_report(struct fgw_meter *meter)
{
    const struct fgw_json *json = &meter->json;
    struct fgw_usage_report report = {0};

    fgw_report_take(&report, json, FGW_REPORT_INPUT, ANSWER_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_OUTPUT, ANSWER_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_TOTAL, ANSWER_TOTAL);
    fgw_report_take(&report, json, FGW_REPORT_CACHED, ANSWER_CACHED_OTHER);
    fgw_report_take(&report, json, FGW_REPORT_CACHED, ANSWER_CACHED);
    fgw_report_take(&report, json, FGW_REPORT_CACHE_WRITE, ANSWER_CACHE_WRITE);
    fgw_report_take(&report, json, FGW_REPORT_REASONING, ANSWER_REASONING);
    fgw_report_take(&report, json, FGW_REPORT_AUDIO_INPUT, ANSWER_AUDIO_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_AUDIO_OUTPUT, ANSWER_AUDIO_OUTPUT);
    fgw_report_take(&report, json, FGW_REPORT_IMAGE_INPUT, ANSWER_IMAGE_INPUT);
    fgw_report_take(&report, json, FGW_REPORT_IMAGE_OUTPUT, ANSWER_IMAGE_OUTPUT);
    if (meter->operation != FGW_OPERATION_EMBEDDINGS &&
        !(report.present & (1u << FGW_REPORT_INPUT | 1u << FGW_REPORT_OUTPUT)))
        return; /* of what is generated, a total alone says neither */
    if (!report.present)
        return;
    if (fgw_json_type_of(json, ANSWER_VENDOR) > FGW_JSON_NULL)
        report.vendor |= FGW_VENDOR_REASONING_APART;
    if (fgw_json_type_of(json, ANSWER_AUDIO_SECONDS) == FGW_JSON_NUMBER)
        report.vendor |= FGW_VENDOR_AUDIO_APART;
    /* Zeros after numbers are the filling of a chunk that knows nothing (Ollama). */
    uint64_t sum = report.value[FGW_REPORT_INPUT] + report.value[FGW_REPORT_OUTPUT] +
                   report.value[FGW_REPORT_TOTAL];
    if (sum || !meter->report.present)
        meter->report = report;
}

/* All output tokens. Whether reasoning is inside completion_tokens differs by vendor; the total
 * tells, and where it says nothing, the known exceptions do. What lies outside of the reported
 * output and is none goes to `*input`, or to `*sound`. */
static uint64_t whole_output(const struct fgw_meter *meter, uint64_t *input, uint64_t *sound)
{
    const struct fgw_usage_report *report = &meter->report;
    const uint64_t *value = report->value;
    uint64_t output = value[FGW_REPORT_OUTPUT], reasoning = value[FGW_REPORT_REASONING];
    uint64_t named = value[FGW_REPORT_INPUT] + output;

    if (value[FGW_REPORT_TOTAL] > named) {
        uint64_t extra = value[FGW_REPORT_TOTAL] - named;
        if (meter->operation == FGW_OPERATION_EMBEDDINGS ||
            !(report->present >> FGW_REPORT_INPUT & 1)) {
            *input += extra; /* of vectors, Voyage tells the total alone */
            return output;
        }
        if (report->vendor & FGW_VENDOR_AUDIO_APART && extra != reasoning) {
            *sound = extra; /* Mistral: tokens of sound are in the total alone */
            return output;
        }
        return output + extra; /* xAI: reasoning; Gemini's compatible API: thoughts not told */
    }
    if (report->vendor & FGW_VENDOR_REASONING_APART &&
        (reasoning > output || (meter->model_bytes > 7 && !memcmp(meter->model, "google/", 7))))
        return output + reasoning;
    return output;
}

void fgw_openai_classes(const struct fgw_meter *meter, struct fgw_usage *usage)
{
    const uint64_t *value = meter->report.value;
    uint64_t input = value[FGW_REPORT_INPUT], sound = 0;
    uint64_t output = whole_output(meter, &input, &sound);

    usage->cached_input = fgw_part_of(&input, value[FGW_REPORT_CACHED], usage);
    usage->cache_write = fgw_part_of(&input, value[FGW_REPORT_CACHE_WRITE], usage);
    usage->audio_input = sound;
    if (!sound)
        usage->audio_input = fgw_part_of(&input, value[FGW_REPORT_AUDIO_INPUT], usage);
    usage->image_input = fgw_part_of(&input, value[FGW_REPORT_IMAGE_INPUT], usage);
    usage->input = input;
    usage->reasoning = fgw_part_of(&output, value[FGW_REPORT_REASONING], usage);
    usage->audio_output = fgw_part_of(&output, value[FGW_REPORT_AUDIO_OUTPUT], usage);
    usage->image_output = fgw_part_of(&output, value[FGW_REPORT_IMAGE_OUTPUT], usage);
    /* Where no details are told, what is asked for says what came. */
    if (meter->operation == FGW_OPERATION_IMAGES &&
        !(meter->report.present >> FGW_REPORT_IMAGE_OUTPUT & 1)) {
        usage->image_output = output;
        output = 0;
    } else if (meter->report.vendor & FGW_VENDOR_SPEECH) {
        usage->audio_output += output;
        output = 0;
    }
    usage->output = output;
}
