/* Convolution as an implicit matrix product.
 *
 * No matrix of windows is written down. An image is padded once, and split into stride x stride phases, so that
 * the pixels that one weight meets at neighbouring outputs lie side by side in memory. A tile of outputs,
 * R filters by V vectors of pixels, then stays in registers while all weights pass by: R weights and V vectors
 * are read for R * V multiply-adds. The gradient of x is the same sum with the filters turned around, the
 * gradient of w one with pixels and filters in each other's place.
 *
 * conv_template.h holds the code, and is included for each number type and each instruction set. There is no
 * -march=native: the instruction set is chosen when the program runs. */
#include "conv.h"

#include <stddef.h>
#include <stdint.h>
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
/* 32 registers of 64 bytes: 24 hold the tile. */
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#define BYTES 64
#define SUFFIX _avx512
#include "conv_types.h"
/* 16 registers of 32 bytes: 12 hold the tile. */
#define SMALL_TILES
#define TARGET __attribute__((target("avx2,fma")))
#define BYTES 32
#define SUFFIX _avx2
#include "conv_types.h"
#undef SMALL_TILES
#endif

#define SMALL_TILES
#define TARGET
#define BYTES 16
#define SUFFIX _plain
#include "conv_types.h"

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
#define CHOOSE(function, ...)                                                                                      \
    (isa == 2 ? function##_avx512(__VA_ARGS__) : isa == 1 ? function##_avx2(__VA_ARGS__) : function##_plain(__VA_ARGS__))
#else
#define CHOOSE(function, ...) (isa >= 0 ? function##_plain(__VA_ARGS__) : -1)
#endif

int conv_forward_f32(int isa, const conv_sizes *s, const float *x, const float *w, const float *b, float *out)
{
    return CHOOSE(forward_f32, s, x, w, b, out);
}

int conv_forward_f64(int isa, const conv_sizes *s, const double *x, const double *w, const double *b, double *out)
{
    return CHOOSE(forward_f64, s, x, w, b, out);
}

int conv_backward_f32(int isa, const conv_sizes *s, const float *x, const float *w, const float *dout,
                      float *dx, float *dw, float *db)
{
    return CHOOSE(backward_f32, s, x, w, dout, dx, dw, db);
}

int conv_backward_f64(int isa, const conv_sizes *s, const double *x, const double *w, const double *dout,
                      double *dx, double *dw, double *db)
{
    return CHOOSE(backward_f64, s, x, w, dout, dx, dw, db);
}
