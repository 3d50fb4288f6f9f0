/* pickle_names.c - see pickle_names.h. torch.load(weights_only=True) takes the names of _get_allowed_globals in
 * torch/_weights_only_unpickler.py. What else training tools leave beside the weights is harmless here, because nothing
 * is called: options, paths, numpy scalars, dates, dictionaries of Lightning and OmegaConf. */
#include "pickle_names.h"

#include <string.h>

static const struct known {
    const char *module, *name; /* name NULL: every one of the module and of those inside it */
    pickle_name_kind kind;
    st_dtype dtype;
} known_names[] = {
    {"collections", "OrderedDict", NAME_DICT, ST_F32},
    {"collections", "defaultdict", NAME_DICT, ST_F32},
    {"collections", "Counter", NAME_COUNTER, ST_F32},
    {"torch._utils", "_rebuild_tensor", NAME_REBUILD_TENSOR, ST_F32},
    {"torch._utils", "_rebuild_tensor_v2", NAME_REBUILD_TENSOR, ST_F32},
    {"torch._utils", "_rebuild_parameter", NAME_REBUILD_PARAMETER, ST_F32},
    {"torch._utils", "_rebuild_parameter_with_state", NAME_REBUILD_PARAMETER, ST_F32},
    {"torch._tensor", "_rebuild_from_type_v2", NAME_REBUILD_FROM_TYPE, ST_F32},
    {"torch", "FloatStorage", NAME_STORAGE, ST_F32},
    {"torch", "HalfStorage", NAME_STORAGE, ST_F16},
    {"torch", "BFloat16Storage", NAME_STORAGE, ST_BF16},
    {"torch", "DoubleStorage", NAME_STORAGE, ST_F64},
    {"torch", "LongStorage", NAME_STORAGE, ST_I64},
    {"torch", "IntStorage", NAME_STORAGE, ST_I32},
    {"torch", "ShortStorage", NAME_STORAGE, ST_I16},
    {"torch", "CharStorage", NAME_STORAGE, ST_I8},
    {"torch", "ByteStorage", NAME_STORAGE, ST_U8},
    {"torch", "BoolStorage", NAME_STORAGE, ST_BOOL},
    /* numbers in a form that is not read */
    {"torch._utils", "_rebuild_tensor_v3", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_qtensor", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_sparse_tensor", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_wrapper_subclass", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_device_tensor_from_numpy", NAME_ARRAY, ST_F32},
    {"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", NAME_ARRAY, ST_F32},
    {"numpy.core.multiarray", "_reconstruct", NAME_ARRAY, ST_F32},
    {"numpy._core.multiarray", "_reconstruct", NAME_ARRAY, ST_F32},
    {"numpy._core.numeric", "_frombuffer", NAME_ARRAY, ST_F32},
    {"numpy.core.numeric", "_frombuffer", NAME_ARRAY, ST_F32},
    /* what stands beside weights */
    {"torch.nn.parameter", "Parameter", NAME_ARRAY, ST_F32},
    {"torch", "Tensor", NAME_ARRAY, ST_F32},
    {"torch", "Size", NAME_OBJECT, ST_F32},
    {"torch", "device", NAME_OBJECT, ST_F32},
    {"torch", "dtype", NAME_OBJECT, ST_F32},
    {"torch.serialization", "_get_layout", NAME_OBJECT, ST_F32},
    {"torch", "float64", NAME_OBJECT, ST_F32},
    {"torch", "float32", NAME_OBJECT, ST_F32},
    {"torch", "float16", NAME_OBJECT, ST_F32},
    {"torch", "bfloat16", NAME_OBJECT, ST_F32},
    {"torch", "float8_e4m3fn", NAME_OBJECT, ST_F32},
    {"torch", "float8_e5m2", NAME_OBJECT, ST_F32},
    {"torch", "complex64", NAME_OBJECT, ST_F32},
    {"torch", "complex128", NAME_OBJECT, ST_F32},
    {"torch", "int64", NAME_OBJECT, ST_F32},
    {"torch", "int32", NAME_OBJECT, ST_F32},
    {"torch", "int16", NAME_OBJECT, ST_F32},
    {"torch", "int8", NAME_OBJECT, ST_F32},
    {"torch", "uint64", NAME_OBJECT, ST_F32},
    {"torch", "uint32", NAME_OBJECT, ST_F32},
    {"torch", "uint16", NAME_OBJECT, ST_F32},
    {"torch", "uint8", NAME_OBJECT, ST_F32},
    {"torch", "bool", NAME_OBJECT, ST_F32},
    {"builtins", "set", NAME_OBJECT, ST_F32},
    {"builtins", "frozenset", NAME_OBJECT, ST_F32},
    {"builtins", "bytearray", NAME_OBJECT, ST_F32},
    {"builtins", "bytes", NAME_OBJECT, ST_F32},
    {"builtins", "complex", NAME_OBJECT, ST_F32},
    {"builtins", "slice", NAME_OBJECT, ST_F32},
    {"builtins", "range", NAME_OBJECT, ST_F32},
    {"builtins", "object", NAME_OBJECT, ST_F32},
    {"builtins", "int", NAME_OBJECT, ST_F32},
    {"builtins", "float", NAME_OBJECT, ST_F32},
    {"builtins", "str", NAME_OBJECT, ST_F32},
    {"builtins", "bool", NAME_OBJECT, ST_F32},
    {"builtins", "list", NAME_OBJECT, ST_F32},
    {"builtins", "dict", NAME_OBJECT, ST_F32},
    {"builtins", "tuple", NAME_OBJECT, ST_F32},
    {"copyreg", "_reconstructor", NAME_OBJECT, ST_F32},
    {"_codecs", "encode", NAME_OBJECT, ST_F32},
    {"collections", "deque", NAME_OBJECT, ST_F32},
    {"argparse", "Namespace", NAME_OBJECT, ST_F32},
    {"types", "SimpleNamespace", NAME_OBJECT, ST_F32},
    {"typing", "Any", NAME_OBJECT, ST_F32},
    {"uuid", "UUID", NAME_OBJECT, ST_F32},
    {"decimal", "Decimal", NAME_OBJECT, ST_F32},
    {"datetime", NULL, NAME_OBJECT, ST_F32},
    {"pathlib", NULL, NAME_OBJECT, ST_F32},
    {"omegaconf", NULL, NAME_OBJECT, ST_F32},
    {"numpy", "dtype", NAME_OBJECT, ST_F32},
    {"numpy", "ndarray", NAME_OBJECT, ST_F32},
    {"numpy", "bool_", NAME_OBJECT, ST_F32},
    {"numpy.dtypes", NULL, NAME_OBJECT, ST_F32},
    {"numpy.core.multiarray", "scalar", NAME_OBJECT, ST_F32},
    {"numpy._core.multiarray", "scalar", NAME_OBJECT, ST_F32},
    {"pytorch_lightning.utilities.parsing", "AttributeDict", NAME_OBJECT, ST_F32},
    {"lightning.fabric.utilities.data", "AttributeDict", NAME_OBJECT, ST_F32},
    {"lightning_fabric.utilities.data", "AttributeDict", NAME_OBJECT, ST_F32},
};

/* What protocol 2 calls modules by Python 2's names. */
static const struct {
    const char *old, *now;
} renamed[] = {{"__builtin__", "builtins"}, {"copy_reg", "copyreg"}};

static int same(const char *text, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(text, word, n) == 0;
}

/* The module itself, or one inside it. */
static int inside(const char *module, size_t n, const char *outer)
{
    size_t n_outer = strlen(outer);
    return n >= n_outer && memcmp(module, outer, n_outer) == 0 && (n == n_outer || module[n_outer] == '.');
}

pickle_name_kind pickle_name_find(const char *module, size_t n_module, const char *name, size_t n_name, st_dtype *dtype)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (same(module, n_module, renamed[i].old)) {
            module = renamed[i].now;
            n_module = strlen(module);
        }
    for (size_t i = 0; i < sizeof known_names / sizeof known_names[0]; i++) {
        const struct known *k = &known_names[i];
        if (k->name ? same(module, n_module, k->module) && same(name, n_name, k->name)
                    : inside(module, n_module, k->module)) {
            *dtype = k->dtype;
            return k->kind;
        }
    }
    return NAME_UNKNOWN;
}
