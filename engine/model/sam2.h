/* sam2.h - SAM 2, SAM 2.1 and EdgeTAM as a predictor. */
#ifndef SAM2_H
#define SAM2_H

#include "predictor.h"

extern const predictor predictor_sam2;

#endif
