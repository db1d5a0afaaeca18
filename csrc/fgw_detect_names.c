#include "fgw_detect_names.h"

#include <string.h>

/* Names by their length, those of one length in a row. */
enum { NAME_MAX = 20 };
typedef const char *const name_list[NAME_MAX + 1];

static int is_listed(name_list list, const uint8_t *name, size_t length)
{
    if (!length || length > NAME_MAX || !list[length])
        return 0;
    for (const char *at = list[length]; *at; at += length)
        if (!memcmp(at, name, length))
            return 1;
    return 0;
}

/* No person's words, wherever they stand outside the arguments of tools. */
static name_list PASSED = {
    [2] = "id",
    [4] = "typerole",
    [5] = "usagemodel",
    [6] = "formatdetailobjectstatusimages",
    [7] = "call_iditem_idfile_idheaderscreatedfileUri",
    [8] = "logprobsb64_jsonmimeTypemodalityfile_uri",
    [9] = "signaturemime_typeembedding",
    [10] = "media_typecreated_atresponseId",
    [11] = "tool_use_idresponse_idobfuscationstop_reasonblockReasondone_reason",
    [12] = "tool_call_idcontainer_idservice_tierfinishReasonmodelVersion",
    [13] = "cache_controlauthorizationfinish_reasonusageMetadatasafetyRatings",
    [15] = "encrypted_index",
    [16] = "thoughtSignature",
    [17] = "encrypted_contentpartial_image_b64thought_signature",
    [18] = "system_fingerprint",
    [19] = "authorization_token",
};
/* Of the whole document: settings. */
static name_list SETTINGS = {
    [4] = "user",
    [5] = "audiobetasvoicestore",
    [6] = "streamlabels",
    [7] = "includeoptions",
    [8] = "metadatathinking",
    [9] = "reasoningcontainer",
    [10] = "modalitiestruncationtoolConfig",
    [11] = "tool_choicemcp_serverstool_config",
    [12] = "conversation",
    [13] = "cachedContent",
    [14] = "stream_optionssafetySettingscached_content",
    [15] = "response_formatencoding_formatsafety_settings",
    [16] = "prompt_cache_keyreasoning_effortgenerationConfig",
    [17] = "safety_identifiergeneration_config",
    [18] = "context_management",
    [20] = "previous_response_id",
};
/* Of an answer of `responses`: what the client itself had said. */
static name_list ECHOES = {
    [4] = "usertext",
    [5] = "toolsinput",
    [6] = "prompt",
    [8] = "metadata",
    [9] = "reasoning",
    [11] = "tool_choice",
    [12] = "instructionsconversation",
    [16] = "prompt_cache_key",
    [17] = "safety_identifier",
};

int fgw_detect_is_passed(const uint8_t *name, size_t length)
{
    return is_listed(PASSED, name, length);
}

int fgw_detect_is_setting(const uint8_t *name, size_t length)
{
    return is_listed(SETTINGS, name, length);
}

int fgw_detect_is_echo(const uint8_t *name, size_t length)
{
    return is_listed(ECHOES, name, length);
}
