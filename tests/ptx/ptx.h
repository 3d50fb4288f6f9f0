/* ptx.h - what the parts of the PTX emulator share.
 *
 *   runtime.cpp      the CUDA runtime's entry points that nvcc's host code calls: registration, launches, attributes
 *   allocations.cpp  which memory kernels may access: what the program has allocated
 *   module.cpp       PTX text -> kernels: statements, names, address spaces, inlined functions
 *   decode.cpp       one PTX instruction -> one Ins: which handler runs it, where its operands lie
 *   arithmetic.h, bits.h, convert.h, memory.h, collectives.h, tensor_core.h   the handlers
 *   run.cpp          blocks, warps, divergence, barriers
 *   access.cpp       an access to memory: its bounds, its alignment, its races
 *   coverage.cpp     what was executed
 *
 * A warp is executed as one: an instruction's handler works on 32 lanes, of which `mask` take part. A register is a row
 * of 32 values in the warp's register file (a predicate is one 32-bit word); constants, special registers and the bases
 * of address spaces are rows too, so that every operand is an offset. */
#ifndef PTX_H
#define PTX_H

#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

typedef uint32_t u32;
typedef uint64_t u64;
typedef uint16_t u16;
typedef uint8_t u8;

enum Space : u8 { GENERIC, GLOBAL, SHARED, LOCAL, PARAM };
/* How the scheduler treats an instruction. SYNC waits for the lanes of a mask operand, WARP for the whole warp, BARRIER
 * for warps of the block. */
enum Kind : u8 { PLAIN, BRANCH, EXIT, SYNC, WARP, BARRIER };

struct Warp;
struct Ins;
typedef void Handler(Warp &w, const Ins &i, u32 mask);

struct Ins {
    Handler *run = nullptr;
    int o[16] = {};     /* operands: offsets in the register file */
    int guard = -1;     /* predicate */
    int target = -1;    /* BRANCH: index of an instruction */
    int64_t offset = 0; /* of an address */
    int64_t offset2 = 0;
    int imm = 0, imm2 = 0; /* what the handler wants to know */
    Kind kind = PLAIN;
    Space space = GENERIC, space2 = GENERIC;
    bool guard_not = false, uniform = false, wide = true, wide2 = true; /* wide: 64-bit address register */
    bool ftz = false, sat = false, aligned = true;
    bool orders = false;           /* memory: bar.warp.sync */
    u8 round = 0;                  /* 0 nearest even, 1 zero, 2 down, 3 up */
    u8 n = 1, size = 0;            /* vector elements and bytes of each */
    int mask_operand = -1;         /* SYNC */
    int line = 0;                  /* of the PTX */
    int loc = -1;                  /* index into Kernel::locs */
    mutable u64 low = 1, high = 0; /* the allocation that it accessed last */
    mutable void *where = nullptr;
    mutable u64 count = 0;
};

struct Variable { /* in shared memory */
    std::string name;
    u32 at = 0, n_bytes = 0;
};

struct Loc {
    int file, line, in_file, in_line; /* in_: where the function that holds it was inlined */
};

struct Kernel {
    std::string name;
    struct Module *module = nullptr;
    std::string_view text; /* from the parameter list on */
    int first_line = 0;
    bool ready = false;
    u64 allocations_seen = 0; /* when Ins::low and high were forgotten */
    int max_dynamic_shared = 48 * 1024, max_threads = 1024;
    struct Param {
        std::string name;
        u32 at, n_bytes;
    };
    std::vector<Param> params;
    u32 param_bytes = 0;
    std::vector<Ins> code;
    std::vector<Loc> locs;
    /* Register file. */
    int n_bytes = 0;
    struct Constant {
        int at, width; /* width 0: predicate */
        u64 value;
    };
    std::vector<Constant> constants;
    struct Special {
        int at;
        std::string name;
    };
    std::vector<Special> specials;
    int local_base = -1; /* row of each lane's address of local memory */
    int carry = -1;
    u32 local_bytes = 0;
    /* Shared memory: addresses from SHARED_FIRST on, gaps between the variables. */
    std::vector<Variable> shared;
    u32 static_shared = 0; /* without the gaps */
    u32 shared_end = 0;    /* with them */
    bool has_dynamic = false;
    u32 dynamic_first = 0;
    std::set<std::pair<int, int>> races; /* source lines (PTX lines without -lineinfo) of those reported */
};
const u32 SHARED_FIRST = 1024, SHARED_GAP = 128, DYNAMIC_FIRST = 128 * 1024, DYNAMIC_MOST = 228 * 1024;

struct Module {
    std::string text;
    int target = 80; /* of .target sm_80 */
    std::unordered_map<std::string, Kernel> kernels;
    struct Function {
        std::string_view text;
        int line;
    };
    std::unordered_map<std::string, Function> functions;
    std::unordered_map<std::string, u64> globals; /* addresses of .global and .const variables */
    struct SharedDecl {
        std::string name;
        u32 align, n_bytes;
        bool is_extern;
    };
    std::vector<SharedDecl> shared;
    std::unordered_map<int, std::string> files;
};

struct Error {
    std::string text;
};
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void module_load(Module &m, std::string text);
void write_coverage(const std::vector<Module *> &modules); /* to the file of PTX_COVERAGE, if that is set */
void kernel_prepare(Kernel &k);

/* decode.cpp */
struct Operand {
    enum { REG, IMM, FLOAT32, FLOAT64, MEM, VEC, SYM, SINK } kind = REG;
    int at = 0, width = 0;      /* REG: width in bytes, 0 a predicate. MEM: of the base, at < 0: none */
    bool negated = false;       /* predicate */
    u64 value = 0;              /* IMM, FLOAT; MEM and SYM: offset */
    Space space = GENERIC;      /* SYM, MEM on a symbol */
    std::string_view name;      /* label or symbol */
    std::vector<Operand> parts; /* VEC;  p|q */
};
struct Decoder { /* what decode() needs of the kernel being prepared */
    virtual int constant(u64 value, int width) = 0;
    virtual int carry() = 0;
    virtual int local_base() = 0;
    virtual int scratch(int width) = 0;
};
void decode(Ins &i, std::string_view opcode, std::vector<Operand> &ops, Decoder &d);

/* run.cpp */
struct Copy { /* cp.async on its way */
    u32 to;
    u64 from;
    int n_bytes, n_read, group, line;
    const Ins *by;
};
struct Group {
    u32 mask;
    int pc;
    enum State : u8 { READY, AT_SYNC, AT_BARRIER } state;
    u32 want; /* AT_SYNC: the lanes that it waits for, and its own */
};
struct Warp {
    u8 *r = nullptr;
    int index = 0;
    u32 live = 0; /* lanes that exist and have not exited */
    u32 exists = 0;
    std::vector<Group> groups;
    std::vector<Copy> copies[32];
    int group[32] = {}; /* of the copies issued next */
    u8 *local = nullptr;
    u32 now = 0; /* lanes of the running group */
    const Ins *at_barrier = nullptr;
    u32 key = 0; /* changes when its lanes synchronise */
};
const char *launch_kernel(Kernel &k, const u32 grid[3], const u32 block[3], size_t dynamic_shared, void **args);
u8 *memory_at(Warp &w, const Ins &i, Space space, u64 address, u32 n_bytes, int lane, int access); /* an Access */
[[noreturn]] void fault(Warp &w, const Ins &i, int lane, const char *format, ...) __attribute__((format(printf, 4, 5)));
void shared_to_generic(Warp &w, const Ins &i, u32 mask);
void generic_to_shared(Warp &w, const Ins &i, u32 mask);
u64 global_variable(size_t n_bytes, size_t align); /* takes memory that kernels may access */
int lane_order(int k);                             /* in which lanes do atomics */

/* allocations.cpp. Words of an allocation have a shadow where races are looked for, made when first touched. */
struct Shadow {     /* of a word of 4 bytes */
    u32 epoch = 0;  /* in which the rest is meant */
    u32 writer = 0; /* warp or block, + 1 */
    u32 reader = 0; /* the same, or many */
    bool atomic = false;
    const Ins *by = nullptr;          /* who wrote, or else who read, last */
    u32 key = 0;                      /* shared memory: of a warp between two of its synchronisations, ... */
    u8 lane_wrote = 0, lane_read = 0; /* ... and which lane, + 1, or several */
};
struct Allocation {
    u64 first, end;
    std::vector<Shadow> words;
};
Allocation *allocation_of(u64 address);     /* the last one that begins at or before it; NULL: none */
Allocation *allocation_behind(u64 address); /* the first one that begins behind it; NULL: none */
u64 allocations_changed(void);              /* another number after each release */

/* The launch that runs. There is one at a time. */
const int MAX_WARPS = 32, MAX_BARRIERS = 16;
struct Running {
    Kernel *k;
    u32 grid[3], block[3], at[3]; /* at: index of the block */
    Warp warps[MAX_WARPS];
    int n_warps;
    u8 *shared; /* address 0 of shared memory */
    u32 dynamic_bytes;
    struct {
        int n_arrived, threads; /* threads: 0: all of the block */
        bool any, all;
        int count;
    } barriers[MAX_BARRIERS];
    u8 *registers, *local;
    size_t registers_size, local_size;
    u64 random;
    u64 block_steps;
    u32 epoch, launch, block_number, key; /* epoch: of shared memory, between two barriers */
    u64 stack;                            /* of the program, from its launch on */
    std::string text;
};
extern Running run;
extern u8 param_buffer[8192];
enum Access { READ, WRITE, ATOMIC };
std::string source_of(const Ins &i); /* ", file:line", where nvcc said it */
std::string ptx_text(const Ins &i);  /* its line of PTX */

struct Settings {
    unsigned seed;
    size_t shared_limit;
    unsigned long long steps;
    int target = 80;       /* compute capability of the PTX that runs: how its tensor cores add */
    bool f32_sums = false; /* PTX_MMA=f32 */
    u32 approx_ulp = 0;    /* PTX_APPROX=N: how far off approximations may be */
    bool races = true;     /* PTX_RACES=0 */
};
extern Settings settings;
size_t shared_limit(void); /* most of a block; of the device that launchers are told of, if any (described_device.h) */
extern int n_races, n_shared_races; /* found so far, each pair of source lines once */

#endif
