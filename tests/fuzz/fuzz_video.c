/* A video container: the first frames, forward, and one by its number. libav itself is not instrumented here. */
#include "frames.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    frame_source *s;
    const frame *f;
    const frames_options opt = {.max_frames = 4, .prefetch = 2, .decode_threads = 1};
    if (frames_open(fuzz_file("video.mp4", bytes, n_bytes), &opt, &s, NULL) != SAM_OK)
        return 0;
    while (frames_next(s, &f, NULL) == SAM_OK && f)
        frames_release(s, f);
    if (frames_read(s, 2, &f, NULL) == SAM_OK)
        frames_release(s, f);
    frames_close(s);
    return 0;
}
