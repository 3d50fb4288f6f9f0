/* Every family of models, once. */
#include "sam1.h"
#include "sam2.h"

const model_family families[] = {
    {"sam", "SAM v1", &predictor_sam1},
    {"sam2", "SAM 2", &predictor_sam2},
    {"edgetam", "EdgeTAM", &predictor_sam2}, /* SAM 2 with another trunk and a perceiver: sam2_config.h says which */
    {NULL, NULL, NULL},
};
