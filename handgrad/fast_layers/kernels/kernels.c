/* Kernels for each number type and each instruction set.
 *
 * There is no -march=native: the templates are compiled for all instruction sets in turn, and one table of kernels
 * is chosen when the program runs. */
#include "kernels.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* Memory that begins at a cache line, all zeros: a vector then never lies across two lines. NULL when short. */
static void *new_zeros(size_t bytes, void **owner)
{
    char *memory = calloc(bytes + 64, 1);
    *owner = memory;
    return memory ? memory + (64 - (uintptr_t)memory % 64) % 64 : NULL;
}

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define HAVE_X86 1
#endif

#ifdef HAVE_X86
/* 32 registers of 64 bytes: 24 hold a convolution's tile. */
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#define BYTES 64
#define SUFFIX _avx512
#include "each_type.h"
/* 16 registers of 32 bytes: 12 hold the tile. */
#define SMALL_TILES
#define TARGET __attribute__((target("avx2,fma")))
#define BYTES 32
#define SUFFIX _avx2
#include "each_type.h"
#undef SMALL_TILES
#endif

#define SMALL_TILES
#define TARGET
#define BYTES 16
#define SUFFIX _plain
#include "each_type.h"

int best_isa(void)
{
#ifdef HAVE_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return 0;
}

#ifdef HAVE_X86
#define CHOOSE(isa, table) ((isa) == 2 ? &table##_avx512 : (isa) == 1 ? &table##_avx2 : &table##_plain)
#else
#define CHOOSE(isa, table) ((void)(isa), &table##_plain)
#endif

const kernels_f32 *get_kernels_f32(int isa)
{
    return CHOOSE(isa, table_f32);
}

const kernels_f64 *get_kernels_f64(int isa)
{
    return CHOOSE(isa, table_f64);
}
