/* mask_picture.h - many masks in one picture: which of them a pixel belongs to, and their colours over the image. */
#ifndef MASK_PICTURE_H
#define MASK_PICTURE_H

#include "draw.h"

/* Puts mask number `value`, [height, width] u8, over what is in numbers [height, width]: where masks lie in each other the one put last
 * shows, so the largest go first. */
void mask_picture_put(uint16_t *numbers, const uint8_t *mask, size_t n_px, uint16_t value);

/* Colours every number but 0, each in a hue far from its neighbours', with a light edge between numbers. */
void mask_picture_draw(const canvas *c, const uint16_t *numbers);

/* The colour of a number from 1 on. */
void mask_picture_color(int number, uint8_t rgb[3]);

#endif
