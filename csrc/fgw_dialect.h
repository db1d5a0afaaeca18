/* fgw_dialect.h - what a request of the openai and anthropic APIs says, and how to edit it.
 *
 * Three steps, all on the caller's memory and without Python:
 *
 *     fgw_dialect_route.h   method and path          -> dialect, operation, or 404 / 405
 *     fgw_dialect_ask.h     the JSON body, one pass  -> struct fgw_ask: model, limits, sizes
 *     fgw_dialect_edit.h    ask + what is wanted     -> a few byte splices of that body
 *
 * What comes back is read by fgw_dialect_meter.h.
 */
#ifndef FGW_DIALECT_H
#define FGW_DIALECT_H

#include "fgw_dialect_ask.h"
#include "fgw_dialect_edit.h"
#include "fgw_dialect_route.h"

#endif
