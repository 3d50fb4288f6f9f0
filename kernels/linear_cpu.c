/* linear through oneDNN; see dnnl_product.h. */
#include "dnnl_product.h"

static size_t scratch_bytes(const op_call *c)
{
    return product_scratch_bytes(c, false);
}
static void *pack(const op_call *c, size_t *bytes)
{
    return product_pack(c, bytes, false);
}
static void *bind(const op_call *c)
{
    return product_bind(c, false);
}

const op_cpu CPU_FN(linear_cpu) = {.run = product_run,
                                   .scratch_bytes = scratch_bytes,
                                   .pack = pack,
                                   .unpack = product_unpack,
                                   .in_packed = 1u << PRODUCT_W,
                                   .bind = bind,
                                   .unbind = product_unbind};
