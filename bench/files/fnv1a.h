/* fnv1a.h - FNV-1a in 64 bits (Fowler, Noll, Vo), for texts that nobody chooses to collide. */
#ifndef FNV1A_H
#define FNV1A_H

#include <stdint.h>

#define FNV1A_BEGIN UINT64_C(0xcbf29ce484222325)

/* Goes on from `h` with the text and its zero byte, so that "a", "bc" is not "ab", "c". */
static inline uint64_t fnv1a(uint64_t h, const char *text)
{
    for (;; text++) {
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        if (!*text)
            return h;
    }
}

#endif
