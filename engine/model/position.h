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
/* SAM v1's absolute position `pos_embed` [trained, trained, channels] for another grid: [side*side, channels]. The official
 * package knows the trained grid only; others are resized as heyoeyo/muggled_sam does (v1_sam/image_encoder_model.py,
 * PositionEncoding: bilinear, antialiased, without aligned corners). */
val vit_position(builder *b, int side, int channels, int trained, scope encoder);
/* SAM v1's table `leaf` of relative positions, learned for sides of `trained`, for sides of `side`: [2 side - 1, channels].
 * modeling/image_encoder.py, get_rel_pos. */
val relative_position(builder *b, int side, int channels, int trained, const char *leaf, scope attention);

#endif
