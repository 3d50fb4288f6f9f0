/* result_check.h - a frame's results are looked at before they are shown: a NaN or infinity in them comes from the weights or
 * from fp16, would stay in the memory bank, and would be scored as an object that is not there. */
#ifndef RESULT_CHECK_H
#define RESULT_CHECK_H

#include "session.h"

/* After show: score, IoU, logits and pointer of every object with a result, all of them in host memory by then (256 KiB of
 * logits an object; 10 us). SAM_E_FORMAT names frame, object and the first stage whose output is not finite, and in fp16
 * what to use instead. The session can go on, with other frames and objects. */
sam_status check_results(sam_session *s, sam_error *err);

/* n values that are read from the session, of image mode. */
sam_status check_values(sam_session *s, const char *what, const float *values, size_t n, sam_error *err);

#endif
