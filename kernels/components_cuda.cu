/* Connected components on CUDA; see image_cuda.h and components.h.
 *
 * A forest over pixel indices in which parents come before their children, so that a tree's root is its component's
 * first pixel whatever the order in which trees are joined: results do not depend on it.
 *   forest_init    a warp per 32 pixels of a row: each pixel's parent is the first of its run among them
 *   forest_join    a thread per pixel: joins runs with the row above, and with the run to the left where 32 pixels end
 *   forest_count   the first pixel of each run finds its root, adds the run's length to the root's area (integers: any
 *                  order), and the run's pixels become children of the root
 *   components_clean: copies, and what is small is replaced;  or components_number, by one block: roots are numbered in
 *                  order
 *   grid  x 8 warps of a block, z planes (CLEAN_PLANES, whose addresses are arguments);   block 256;   shared 0
 *   scratch 8 bytes a pixel (parent, area);   traffic about 40 bytes a pixel, all of it in L2 for 256x256: four launches,
 *   some 10 us, and one launch of 8 bytes a pixel where nothing is to be cleaned
 * Joining is lock-free: atomicMin on the larger root's parent; what it finds there instead is joined next. A stale parent
 * read elsewhere is still an ancestor, so no fences are needed. */
#include "device.cuh"
#include "image_cuda.h"

enum { LEFT_OUT, BACKGROUND, OBJECT }; /* as in components.c */
static const unsigned ALL = 0xFFFFFFFFu;

typedef struct planes {
    const float *logits[CLEAN_PLANES];
    const uint8_t *mask; /* or this, one plane */
    int h, w;
    int *parent, *area; /* [n, h*w] */
} planes;

static __device__ __forceinline__ int kind_at(const planes &p, int i)
{
    if (p.mask)
        return p.mask[i] ? OBJECT : LEFT_OUT;
    float v = p.logits[blockIdx.z][i];
    return v > 0 ? OBJECT : v <= 0 ? BACKGROUND : LEFT_OUT;
}
static __device__ __forceinline__ int *plane_of(int *base, const planes &p)
{
    return base + (size_t)blockIdx.z * (size_t)(p.h * p.w);
}

/* A lane's pixel; `inside` may be false for the last lanes of a row. Warps past the last row have y >= h. */
typedef struct lane_place {
    int x, y, i;
    bool inside;
} lane_place;
static __device__ __forceinline__ lane_place lane_at(const planes &p)
{
    int segments = (p.w + 31) / 32, warp = (int)(blockIdx.x * 8 + threadIdx.x / 32);
    lane_place at = {warp % segments * 32 + (int)threadIdx.x % 32, warp / segments, 0, false};
    at.inside = at.x < p.w && at.y < p.h;
    at.i = at.y * p.w + at.x;
    return at;
}
/* Lanes with the calling lane's kind. */
static __device__ __forceinline__ unsigned same_kind(int kind)
{
    unsigned object = __ballot_sync(ALL, kind == OBJECT), background = __ballot_sync(ALL, kind == BACKGROUND);
    return kind == OBJECT ? object : kind == BACKGROUND ? background : 0;
}
static __device__ __forceinline__ int run_start(unsigned same, int lane)
{
    unsigned others = ~same & ((1u << lane) - 1);
    return others ? 32 - __clz((int)others) : 0;
}

static __device__ __forceinline__ int root_of(const int *parent, int i)
{
    for (int up = parent[i]; up != i; up = parent[i])
        i = up;
    return i;
}
static __device__ __forceinline__ void join(int *parent, int i, int j)
{
    for (;;) {
        i = root_of(parent, i);
        j = root_of(parent, j);
        if (i == j)
            return;
        int high = max(i, j), low = min(i, j), was = atomicMin(&parent[high], low);
        if (was == high)
            return;
        i = low; /* another thread gave `high` a parent meanwhile: that one and ours belong together */
        j = was;
    }
}

__global__ void __launch_bounds__(256) forest_init(planes p)
{
    lane_place at = lane_at(p);
    int lane = (int)threadIdx.x % 32, kind = at.inside ? kind_at(p, at.i) : LEFT_OUT;
    unsigned same = same_kind(kind);
    if (!at.inside)
        return;
    plane_of(p.parent, p)[at.i] = kind == LEFT_OUT ? at.i : at.i - lane + run_start(same, lane);
    plane_of(p.area, p)[at.i] = 0;
}

__global__ void __launch_bounds__(256) forest_join(planes p)
{
    lane_place at = lane_at(p);
    int kind = at.inside ? kind_at(p, at.i) : LEFT_OUT;
    if (kind == LEFT_OUT)
        return;
    int *parent = plane_of(p.parent, p);
    bool left = at.x > 0 && kind_at(p, at.i - 1) == kind;
    if (left && at.x % 32 == 0)
        join(parent, at.i, at.i - 1);
    if (at.y == 0)
        return;
    bool up_left = at.x > 0 && kind_at(p, at.i - p.w - 1) == kind;
    if (kind_at(p, at.i - p.w) == kind) {
        if (!left || !up_left) /* else the pixel to the left has done it */
            join(parent, at.i, at.i - p.w);
        return;
    }
    if (up_left && !left)
        join(parent, at.i, at.i - p.w - 1);
    bool right = at.x + 1 < p.w && kind_at(p, at.i + 1) == kind;
    if (!right && at.x + 1 < p.w && kind_at(p, at.i - p.w + 1) == kind)
        join(parent, at.i, at.i - p.w + 1);
}

__global__ void __launch_bounds__(256) forest_count(planes p)
{
    lane_place at = lane_at(p);
    int lane = (int)threadIdx.x % 32, kind = at.inside ? kind_at(p, at.i) : LEFT_OUT, root = 0;
    unsigned same = same_kind(kind);
    int start = run_start(same, lane);
    int *parent = plane_of(p.parent, p);
    if (kind != LEFT_OUT && lane == start) {
        unsigned after = ~same >> lane; /* bit 0 is this lane */
        int length = after ? __ffs((int)after) - 1 : 32 - lane;
        root = root_of(parent, at.i);
        atomicAdd(&plane_of(p.area, p)[root], length);
    }
    root = __shfl_sync(ALL, root, kind == LEFT_OUT ? lane : start);
    if (kind != LEFT_OUT)
        parent[at.i] = root; /* others may still walk over it: it stays an ancestor */
}

/* out [n, h, w] */
__global__ void __launch_bounds__(256)
    components_clean(planes p, int max_hole_area, float hole_value, int max_speck_area, float speck_value, float *out)
{
    int i = (int)(blockIdx.x * 256 + threadIdx.x);
    if (i >= p.h * p.w)
        return;
    float v = p.logits[blockIdx.z][i];
    int kind = kind_at(p, i), max_area = kind == OBJECT ? max_speck_area : kind == BACKGROUND ? max_hole_area : 0;
    if (max_area > 0 && plane_of(p.area, p)[plane_of(p.parent, p)[i]] <= max_area)
        v = kind == OBJECT ? speck_value : hole_value;
    out[(size_t)blockIdx.z * (size_t)(p.h * p.w) + (size_t)i] = v;
}

/* One block of 1024: roots get their numbers, in place of the areas. */
__global__ void __launch_bounds__(1024) components_number(planes p, int *n_components)
{
    SHARED(int, sCount, [32]);
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, n_px = p.h * p.w, total = 0;
    for (int first = 0; first < n_px; first += 1024) {
        int i = first + (int)threadIdx.x;
        bool is_root = i < n_px && kind_at(p, i) == OBJECT && p.parent[i] == i;
        unsigned roots = __ballot_sync(ALL, is_root);
        if (lane == 0)
            sCount[warp] = __popc(roots);
        __syncthreads(); /* all counts are there */
        int before = total;
        for (int v = 0; v < 32; v++) {
            before += v < warp ? sCount[v] : 0;
            total += sCount[v];
        }
        if (is_root)
            p.area[i] = before + __popc(roots & ((2u << lane) - 1));
        __syncthreads(); /* they have been read */
    }
    if (threadIdx.x == 0)
        *n_components = total;
}
__global__ void __launch_bounds__(256) components_labels(planes p, int *labels)
{
    int i = (int)(blockIdx.x * 256 + threadIdx.x);
    if (i < p.h * p.w)
        labels[i] = kind_at(p, i) == OBJECT ? p.area[p.parent[i]] : 0;
}

static const char *grow(const planes *p, int n, void *stream)
{
    size_t warps = (size_t)((p->w + 31) / 32) * (size_t)p->h;
    dim3 grid((unsigned)((warps + 7) / 8), 1, (unsigned)n);
    const char *wrong = launch(forest_init, grid, 256, 0, stream, *p);
    if (!wrong)
        wrong = launch(forest_join, grid, 256, 0, stream, *p);
    return wrong ? wrong : launch(forest_count, grid, 256, 0, stream, *p);
}
static planes planes_of(int n, int h, int w, void *scratch)
{
    planes p = {};
    p.h = h, p.w = w;
    p.parent = (int *)scratch;
    p.area = p.parent + (size_t)n * (size_t)h * (size_t)w;
    return p;
}

const char *CUDA_FN(clean_logits_cuda)(const float *const *logits, int n, int h, int w, int max_hole_area,
                                       float hole_value, int max_speck_area, float speck_value, float *out,
                                       void *scratch, void *stream)
{
    const char *wrong = nullptr;
    if (n < 1 || h < 1 || w < 1 || h > 0x7FFFFF00 / w)
        return "clean_logits: planes of at most 2^31 pixels";
    for (int first = 0; first < n && !wrong; first += CLEAN_PLANES) {
        int m = min(n - first, (int)CLEAN_PLANES);
        planes p = planes_of(m, h, w, scratch);
        for (int i = 0; i < m; i++)
            p.logits[i] = logits[first + i];
        if (max_hole_area > 0 || max_speck_area > 0)
            wrong = grow(&p, m, stream);
        dim3 grid((unsigned)((h * w + 255) / 256), 1, (unsigned)m);
        if (!wrong)
            wrong = launch(components_clean, grid, 256, 0, stream, p, max_hole_area, hole_value, max_speck_area,
                           speck_value, out + (size_t)first * (size_t)h * (size_t)w);
    }
    return wrong;
}

const char *CUDA_FN(components_label_cuda)(const uint8_t *mask, int h, int w, int32_t *labels, int32_t *n_components,
                                           void *scratch, void *stream)
{
    if (h < 1 || w < 1 || h > 0x7FFFFF00 / w)
        return "components_label: a plane of at most 2^31 pixels";
    planes p = planes_of(1, h, w, scratch);
    p.mask = mask;
    const char *wrong = grow(&p, 1, stream);
    if (!wrong)
        wrong = launch(components_number, 1, 1024, 0, stream, p, n_components);
    return wrong ? wrong : launch(components_labels, (unsigned)((h * w + 255) / 256), 256, 0, stream, p, labels);
}
