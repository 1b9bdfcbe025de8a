/* Layers that are one or two passes over memory: what counts is how often each number travels.
 *
 * The loops are plain C. The compiler makes vectors of them for each instruction set that CLONES names, and the
 * dynamic linker picks one when the program starts. */
#include "passes.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define LANES 16 /* partial sums: enough to keep the adders busy, and few enough for registers */

/* x - mean loses no digits when the mean is taken off in two parts, the second being what REAL cannot hold of it. */
#define SPLIT(mean) const REAL high = (REAL)(mean), low = (REAL)((mean) - high)

#define REAL float
#define SQRT sqrtf
#define EXP expf
#define NAME(x) x##_f32
#include "passes_template.h"
#undef REAL
#undef SQRT
#undef EXP
#undef NAME

#define REAL double
#define SQRT sqrt
#define EXP exp
#define NAME(x) x##_f64
#include "passes_template.h"
