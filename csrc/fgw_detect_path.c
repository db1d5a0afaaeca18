#include "fgw_detect_json.h"

#include <string.h>

static size_t put_name(const struct fgw_walk_frame *frame, uint8_t *out, int dot)
{
    size_t used = 0;

    for (size_t i = 0; i < frame->name_length; i++) {
        uint8_t byte = frame->name[i], letter = (uint8_t)(byte | 0x20);
        if (i >= 32 || !((letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
                         byte == '_' || byte == '-'))
            return 0; /* no name that an API has: it may be anything */
    }
    if (dot)
        out[used++] = '.';
    memcpy(out + used, frame->name, frame->name_length);
    return used + frame->name_length;
}

static size_t put_index(uint32_t index, uint8_t *out)
{
    uint8_t digits[12];
    size_t at = sizeof digits, used = 0;

    do {
        digits[--at] = (uint8_t)('0' + index % 10);
        index /= 10;
    } while (index);
    out[used++] = '[';
    memcpy(out + used, digits + at, sizeof digits - at);
    used += sizeof digits - at;
    out[used++] = ']';
    return used;
}

size_t fgw_walk_path(const struct fgw_walk *walk, uint8_t *out)
{
    size_t used = 0;

    for (uint32_t i = 0; i < walk->depth && used + 48 <= FGW_WALK_PATH_MAX; i++) {
        const struct fgw_walk_frame *frame = &walk->frames[i];
        if (!frame->object) {
            used += put_index(frame->element, out + used);
            continue;
        }
        if (!frame->name)
            break;
        size_t name = put_name(frame, out + used, used != 0);
        used += name;
        if (!name || (i > 0 && (fgw_walk_named(frame, "input", 5) ||
                                fgw_walk_named(frame, "arguments", 9))))
            break;
    }
    return used;
}
