/* fgw_action_addresses.c - restrict-ips: only some addresses may ask.
 *
 * Reads     conn.client_ip
 * Writes    denied; results action ("allow" or "deny") and matched_cidr ("": none)
 * Explains  FGW-605
 */
#include "fgw_action.h"

#include <arpa/inet.h>
#include <string.h>

int32_t fgw_address_find(const struct fgw_addresses *addresses, const uint8_t address[16])
{
    uint32_t low = 0, high = addresses->n_ranges;
    while (low < high) { /* the last range that begins at or before the address */
        const uint32_t middle = low + (high - low) / 2;
        if (memcmp(addresses->ranges[middle].first, address, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || memcmp(addresses->ranges[low - 1].last, address, 16) < 0)
        return -1;
    return (int32_t)(low - 1);
}

/* 1 with the address as IPv6, an IPv4 one mapped. */
static int parse(const struct fgw_value *text, uint8_t address[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (text->type != FGW_VALUE_STRING || text->length >= sizeof copy)
        return 0;
    memcpy(copy, text->bytes, text->length);
    copy[text->length] = 0;
    if (inet_pton(AF_INET6, copy, address) == 1)
        return 1;
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    return inet_pton(AF_INET, copy, address + 12) == 1;
}

int fgw_action_addresses(const struct fgw_action *action, uint64_t rule, struct fgw_value *facts,
                         struct fgw_effects *effects)
{
    const struct fgw_addresses *addresses = action->more;
    const struct fgw_address_range *range = NULL;
    uint8_t address[16];
    /* An address that cannot be read is on no list of those that may: it fails closed. */
    int denied = 1;
    if (parse(&facts[FGW_FACT_CONN_CLIENT_IP], address)) {
        const int32_t at = fgw_address_find(addresses, address);
        range = at < 0 ? NULL : &addresses->ranges[at];
        denied = range ? (int)range->denied : (int)addresses->allow_given;
    }
    fgw_action_result_text(action, 0, facts, (const uint8_t *)(denied ? "deny" : "allow"),
                           denied ? 4 : 5);
    fgw_action_result_text(action, 1, facts, range ? range->cidr : NULL,
                           range ? range->cidr_length : 0);
    if (denied)
        return fgw_action_refuse(effects, rule, FGW_ACTION_RESTRICT_IPS, action->enforced, 403,
                                 FGW_CODE_ADDRESS_RESTRICTED);
    fgw_action_trace(effects, rule, FGW_ACTION_RESTRICT_IPS, action->enforced, 0, 0);
    return 0;
}
