/* position.h - position codes and rotary tables: functions of the grid alone, computed once at open (see derive). */
#ifndef POSITION_H
#define POSITION_H

#include "graph.h"

/* Sine code of a [side, side] grid: [side*side, channels]. sam2 modeling/position_encoding.py, PositionEmbeddingSine. */
val sine_position(builder *b, int side, int channels);
/* Rotary (cos, sin) pairs of a [side, side] grid: [side*side, channels]. position_encoding.py, compute_axial_cis. */
val rope_table(builder *b, int side, int channels);
/* Random Fourier code of the cells of a [side, side] grid: [side*side, channels]. PositionEmbeddingRandom.forward. */
val dense_position(builder *b, int side, int channels, scope prompt_encoder);
/* Hiera's absolute position: bicubic `pos_embed` plus tiled `pos_embed_window`: [side*side, channels].
 * backbones/hieradet.py, _get_pos_embed. */
val hiera_position(builder *b, int side, int channels, const int background[2], int window, scope trunk);

#endif
