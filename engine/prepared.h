/* prepared.h - frames resized and normalised beforehand, as `sambench edge --preprocess_frames` stores them. Not part of
 * the public API. */
#ifndef PREPARED_H
#define PREPARED_H

#include "sam.h"

/* The network's input for `f` as IEEE half precision, [image_px, image_px, 3], into `half`. The session has no current
 * frame afterwards. */
sam_status session_prepare(sam_session *s, const sam_frame *f, uint16_t *half, sam_error *err);

/* sam_push_frame with such an input. Values were rounded once, so results differ by that much. */
sam_status session_push_prepared(sam_session *s, const uint16_t *half, int64_t index, sam_error *err);

#endif
