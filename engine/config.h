/* config.h - what a converted weights file says about its model: whose it is, and numbers by key. Which numbers there are is
 * the family's business (predictor.h). The first error sticks to the reader; later reads return 0 or NULL. */
#ifndef CONFIG_H
#define CONFIG_H

#include "error.h"
#include "safetensors.h"

typedef struct config_reader {
    struct json_t *root;
    const char *path, *family, *name; /* borrowed from the file */
    sam_error *err;
    sam_status status;
} config_reader;

/* Metadata of `f`. Whatever it returns, config_close frees. */
sam_status config_open(config_reader *r, const st_file *f, const char *path, sam_error *err);
/* The sticky status. */
sam_status config_close(config_reader *r);

/* An integer, or a truth value, from low to high; `missing` (if not negative) where there is no such key. */
int config_int(config_reader *r, const char *key, int low, int high, int missing);
/* A list of `least` to `most` integers; returns how many. */
int config_ints(config_reader *r, const char *key, int *to, int least, int most, int low, int high);
/* A text, or NULL where there is none, which is no error; lives until config_close. */
const char *config_text(const config_reader *r, const char *key);
/* Says that `key` is not what was expected; returns 0. */
int config_wrong(config_reader *r, const char *key, const char *expected);

#endif
