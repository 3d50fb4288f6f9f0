/* toy_family.h - a family of models that is only here: images by their longest side, a convolution for an encoder, masks that
 * are products with a query and the first point's token. Its file and its row are all that the engine is given. */
#ifndef TOY_FAMILY_H
#define TOY_FAMILY_H

#include "predictor.h"

enum { TOY_ENCODE, TOY_DECODE, TOY_NEVER /* run by no step; it cannot be built */, TOY_GRAPHS };

extern const model_family toy_families[];

#endif
