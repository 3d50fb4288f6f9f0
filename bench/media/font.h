/* font.h - the letters that are drawn into pictures: printable ASCII, 5 x 7 dots each. */
#ifndef FONT_H
#define FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 5, FONT_HEIGHT = 7 };

/* [FONT_WIDTH] columns of a letter, bit 0 on top; of anything but printable ASCII those of a question mark. */
const uint8_t *font_columns(char letter);

#endif
