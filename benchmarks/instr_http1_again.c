/* The head of instr_http1_head.c by a worker that has read it before, as all but the first are. */
#include "fgw_http1_lines.h"

static struct fgw_lines lines;
#define LINES &lines
#include "instr_http1_head.c"
