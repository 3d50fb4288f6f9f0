/* squeeze_width.h - how wide RepViT's squeeze-excite is inside. The engine builds its graph and the converter expects its
 * tensors by this one rule: timm make_divisible(width / 4, 8) in layers/squeeze_excite.py, at least 16. */
#ifndef SQUEEZE_WIDTH_H
#define SQUEEZE_WIDTH_H

static inline int squeeze_width(int width)
{
    int quarter = width / 4, rounded = (quarter + 4) / 8 * 8;
    if (rounded < 16)
        rounded = 16;
    return rounded * 10 < quarter * 9 ? rounded + 8 : rounded;
}

#endif
