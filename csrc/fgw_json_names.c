#include "fgw_json_names.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

const struct fgw_json_name *fgw_json_names_keep(struct fgw_json_names *names,
                                                const struct fgw_json_node *nodes,
                                                const struct fgw_json_node *inside,
                                                const uint8_t *p, size_t length, uint8_t node)
{
    if (length > FGW_JSON_NAME_MAX)
        return NULL;
    uint64_t word = 0;
    memcpy(&word, p + 1, length < 8 ? length : 8);
    struct fgw_json_name *name = &names->name[fgw_json_place((size_t)(inside - nodes), word)];
    name[1] = name[0]; /* the older one of the two goes */
    name->inside = inside;
    name->length = (uint8_t)(length + 3);
    memcpy(name->text, p, name->length);
    name->rest = UINT32_MAX << (name->length < 16 ? name->length : 16);
    name->node = node;
    return name;
}
