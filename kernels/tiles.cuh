/* tiles.cuh - tiles of 16-bit elements in shared memory that feed mma through ldmatrix.
 *
 * A row is D / 8 chunks of 16 bytes. Chunk c of row r lies at c ^ (r & 7) where a row is a multiple of 128 bytes, else
 * rows are padded to an odd number of chunks: the eight rows of an 8x8 matrix then lie in eight different groups of banks,
 * for ldmatrix and for the copies that fill the tile. */
#ifndef TILES_CUH
#define TILES_CUH

#include "elements.cuh"

template <int D> __host__ __device__ static constexpr int row_chunks(void)
{
    return D % 64 == 0 ? D / 8 : D / 8 | 1;
}
template <int D> __host__ __device__ static constexpr int tile_bytes(int n_rows)
{
    return n_rows * row_chunks<D>() * 16;
}
/* Byte of chunk c of row r. */
template <int D> static __device__ __forceinline__ int chunk_at(int r, int c)
{
    return (r * row_chunks<D>() + (D % 64 == 0 ? (c & ~7) | ((c ^ r) & 7) : c)) * 16;
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
