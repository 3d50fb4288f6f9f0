/* predict_out.h - a prediction as a table on standard output and as JSON. */
#ifndef PREDICT_OUT_H
#define PREDICT_OUT_H

#include "predict.h"

#include <jansson.h>

/* memory: of the session as planned for the device. n_top: operators printed. */
void predict_print(const prediction *p, const sam_stats *memory, int n_top);
/* A new object, NULL if there is no memory. */
json_t *predict_json(const prediction *p, const sam_stats *memory);
json_t *predict_shares_json(void);

#endif
