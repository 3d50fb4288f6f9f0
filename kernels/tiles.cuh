/* tiles.cuh - tiles of 16-bit elements in shared memory that feed mma through ldmatrix.
 *
 * A row is D / 8 chunks of 16 bytes. Chunk c of row r lies at c ^ (r & 7) where a row is a multiple of 128 bytes, at
 * c ^ (r / 2 & 3) where it is 64 bytes, else rows are padded to an odd number of chunks: the eight rows of an 8x8 matrix
 * then lie in eight different groups of banks, for ldmatrix and for the copies that fill the tile.
 *
 * The permutation depends on r & 7 alone. So where rows advance by multiples of 8 an address is a sum, and its constant
 * part is in the instruction: what depends on the thread is computed once, before the loops (copy_lane, matrix_lane). */
#ifndef TILES_CUH
#define TILES_CUH

#include "elements.cuh"

template <int D> __host__ __device__ static constexpr bool is_permuted(void)
{
    return D % 64 == 0 || D == 32;
}
template <int D> __host__ __device__ static constexpr int row_bytes(void)
{
    return (is_permuted<D>() ? D / 8 : D / 8 | 1) * 16;
}
template <int D> __host__ __device__ static constexpr int tile_bytes(int n_rows)
{
    return n_rows * row_bytes<D>();
}
/* Byte of chunk c of row r. */
template <int D> static __device__ __forceinline__ int chunk_at(int r, int c)
{
    return r * row_bytes<D>() + (D == 32 ? c ^ (r / 2 & 3) : is_permuted<D>() ? (c & ~7) | ((c ^ r) & 7) : c) * 16;
}

/* ldmatrix. A lane names row r (below 16) and chunk `half` (0, 1) of 16 rows and 16 columns: that byte, and from it the
 * byte for rows first_row .. of a tile (a multiple of 8) and columns 16 k .. */
template <int D> static __device__ __forceinline__ int matrix_lane(int r, int half)
{
    return chunk_at<D>(r, half);
}
template <int D> static __device__ __forceinline__ int matrix_at(int lane_byte, int first_row, int k)
{
    int column = !is_permuted<D>() ? lane_byte + k * 32
                 : D == 32         ? lane_byte ^ k * 32
                                   : (lane_byte ^ k % 4 * 32) + k / 4 * 128;
    return first_row * row_bytes<D>() + column;
}
/* The lane's row and chunk where ldmatrix_x4 gives the four matrices of an operand a, or (trans) of two operands b ... */
template <int D> static __device__ __forceinline__ int matrix_lane_a(void)
{
    int lane = (int)threadIdx.x % 32;
    return matrix_lane<D>(lane % 16, lane / 16);
}
/* ... and where it gives two operands b of rows that are columns of the product: matrices 8 rows by 16 columns. */
template <int D> static __device__ __forceinline__ int matrix_lane_b(void)
{
    int lane = (int)threadIdx.x % 32;
    return matrix_lane<D>(lane / 16 * 8 + lane % 8, lane / 8 % 2);
}

/* Copying rows to a tile. `lanes` lanes copy a row, each every `lanes`th chunk of it; a warp copies several rows at a time,
 * and the block so many times that. Few lanes a row: an address then serves several chunks, which differ by constants. */
template <int D> __host__ __device__ static constexpr int copy_lanes(void)
{
    return D % 64 == 0 ? 8 : D <= 32 ? D / 8 : D % 56 == 0 ? 7 : D % 40 == 0 ? 5 : D == 96 ? 4 : 6;
}
template <int D> struct copy_lane {
    static const int LANES = copy_lanes<D>(), CHUNKS = D / 8 / LANES, ROWS = 32 / LANES; /* of a lane; of a warp */
    static_assert(D / 8 % LANES == 0, "lanes share a row evenly");
    int row, chunk; /* the first ones: rows from `row` on, `step` apart */
    int step, flip; /* flip: how the permutation changes from row to row */
    int to;         /* byte of row and chunk in the tile */
    bool copies, fills[CHUNKS];
};
/* What the calling thread copies of rows whose first `width` columns are to be copied; the others become zeros. */
template <int D> static __device__ __forceinline__ copy_lane<D> copy_begin(int width)
{
    copy_lane<D> l;
    int lane = (int)threadIdx.x % 32;
    l.copies = lane < l.ROWS * l.LANES;
    l.row = (int)threadIdx.x / 32 * l.ROWS + lane / l.LANES;
    l.chunk = lane % l.LANES;
    l.step = (int)blockDim.x / 32 * l.ROWS;
    l.flip = D % 64 == 0 ? l.step % 8 * 16 : 0;
    l.to = chunk_at<D>(l.row, l.chunk);
    UNROLL
    for (int k = 0; k < l.CHUNKS; k++)
        l.fills[k] = (l.chunk + k * l.LANES) * RUN < width;
    return l;
}
/* The byte `step` rows further on. */
template <int D> static __device__ __forceinline__ int copy_next(const copy_lane<D> &l, int to)
{
    return (to + l.step * row_bytes<D>()) ^ l.flip;
}
/* The lane's chunks of one row, whose first chunk of the lane lies at `from`: zeros, and nothing read, if not valid. */
template <class T, int D>
static __device__ __forceinline__ void copy_row(const copy_lane<D> &l, unsigned char *tile, int to, const T *from,
                                                bool valid)
{
    UNROLL
    for (int k = 0; k < l.CHUNKS; k++)
        cp_async<16>(tile + to + k * l.LANES * 16, from + k * l.LANES * RUN, valid && l.fills[k]);
}
/* Rows first .. first + n_tile - 1 of a matrix from its column on where `from` points; zeros from n_rows and from column
 * `width` on. */
template <class T, int D>
static __device__ __forceinline__ void copy_rows(const copy_lane<D> &l, unsigned char *tile, const T *from,
                                                 size_t row_stride, size_t first, int n_tile, size_t n_rows)
{
    const T *row = from + (first + (size_t)l.row) * row_stride + l.chunk * RUN;
    size_t advance = (size_t)l.step * row_stride;
    int left = (int)(n_rows - first < (size_t)n_tile ? n_rows - first : (size_t)n_tile), to = l.to;
    if (!l.copies)
        return;
    UNROLL_BY(l.CHUNKS > 1 ? 1 : 2)
    for (int r = l.row; r < n_tile; r += l.step, row += advance, to = copy_next(l, to))
        copy_row<T, D>(l, tile, to, row, r < left);
}

/* Two neighbouring elements; i is even. */
static __device__ __forceinline__ void store_pair(void *p, dtype type, size_t i, float a, float b)
{
    if (type == DT_F32)
        store_b64((float *)p + i, make_uint2(__float_as_uint(a), __float_as_uint(b)));
    else
        *(uint32_t *)((uint16_t *)p + i) = pack_half(a, b, type);
}

#endif
