/* gif_blocks.c - the blocks of a GIF (GIF89a specification, appendix B), walked without decoding. */
#include "image_decoders.h"

enum { HEADER_BYTES = 13, EXTENSION = 0x21, PICTURE = 0x2c, END = 0x3b, GRAPHIC_CONTROL = 0xf9, HAS_TABLE = 0x80 };

static int u16(const uint8_t *b)
{
    return b[0] | b[1] << 8;
}

static size_t table_bytes(uint8_t flags)
{
    return flags & HAS_TABLE ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Behind the sub-blocks at `at`, each its length and that many bytes, the last of length 0; beyond n if they are cut. */
static size_t skip_sub_blocks(const uint8_t *b, size_t n, size_t at)
{
    while (at < n && b[at])
        at += 1 + (size_t)b[at];
    return at + 1;
}

gif_blocks gif_look(const image_file *f)
{
    gif_blocks g = {.cut = 1};
    const uint8_t *b = f->bytes;
    size_t n = f->n;
    if (n < HEADER_BYTES)
        return g;
    for (size_t at = HEADER_BYTES + table_bytes(b[10]); at < n;) {
        if (b[at] == END) {
            g.cut = 0;
            return g;
        }
        if (b[at] == EXTENSION && at + 3 < n) {
            if (b[at + 1] == GRAPHIC_CONTROL && b[at + 2] == 4 && !g.n_pictures)
                g.control = at + 3;
            at = skip_sub_blocks(b, n, at + 2);
        } else if (b[at] == PICTURE && at + 10 < n) {
            if (!g.n_pictures) {
                g.x = u16(b + at + 1);
                g.y = u16(b + at + 3);
                g.width = u16(b + at + 5);
                g.height = u16(b + at + 7);
            }
            at = skip_sub_blocks(b, n, at + 10 + table_bytes(b[at + 9]) + 1);
            g.n_pictures += at <= n;
        } else {
            return g;
        }
    }
    return g;
}
