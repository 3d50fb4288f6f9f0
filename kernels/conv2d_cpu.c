/* conv2d on tiles where the processor has them (cpu_amx_product.h), else through oneDNN (dnnl_product.h). */
#include "cpu_amx_product.h"

static size_t scratch_bytes(const op_call *c)
{
    return tiles_serve(c, true) ? tiles_scratch_bytes(c, true) : product_scratch_bytes(c, true);
}
static void *pack(const op_call *c, size_t *bytes)
{
    return tiles_serve(c, true) ? tiles_pack(c, bytes, true) : product_pack(c, bytes, true);
}
static void *bind(const op_call *c)
{
    return tiles_serve(c, true) ? calloc(1, sizeof(product)) : product_bind(c, true);
}

static void run(const op_call *c)
{
    if (tiles_serve(c, true))
        tiles_run(c, true);
    else
        product_run(c);
}

const op_cpu CPU_FN(conv2d_cpu) = {.run = run,
                                   .scratch_bytes = scratch_bytes,
                                   .pack = pack,
                                   .unpack = product_unpack,
                                   .in_packed = 1u << PRODUCT_W,
                                   .bind = bind,
                                   .unbind = product_unbind};
