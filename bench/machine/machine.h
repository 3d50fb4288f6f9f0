/* machine.h - what a result was measured on, for the files beside it: machine.json. */
#ifndef MACHINE_H
#define MACHINE_H

#include "conditions.h"

#include <jansson.h>

#define MACHINE_FILE "machine.json"

/* What docs/report.md lists; "" or 0 where it is not told. NULL: out of memory. */
json_t *machine_json(void);
/* OUT_DIR/machine.json */
sam_status machine_write(const char *out_dir, sam_error *err);
/* Puts what a run has found into that file, as `conditions`. */
sam_status machine_add_conditions(const char *out_dir, const conditions *c, sam_error *err);

#endif
