/* sam1.h - SAM v1 as a predictor: images only. */
#ifndef SAM1_H
#define SAM1_H

#include "predictor.h"

extern const predictor predictor_sam1;

#endif
