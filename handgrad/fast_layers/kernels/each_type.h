/* Both number types for the instruction set that TARGET, BYTES (of a vector) and SUFFIX name. */
#define REAL float
#define WHOLE int32_t
#define SQRT sqrtf
#define EXP expf
#define LANES (BYTES / 4)
#define TYPE f32
#define NAME(x) JOIN(JOIN(x, _f32), SUFFIX)
#include "conv_template.h"
#include "passes_template.h"
#undef REAL
#undef WHOLE
#undef SQRT
#undef EXP
#undef LANES
#undef TYPE
#undef NAME

#define REAL double
#define WHOLE int64_t
#define SQRT sqrt
#define EXP exp
#define LANES (BYTES / 8)
#define TYPE f64
#define NAME(x) JOIN(JOIN(x, _f64), SUFFIX)
#include "conv_template.h"
#include "passes_template.h"
#undef REAL
#undef WHOLE
#undef SQRT
#undef EXP
#undef LANES
#undef TYPE
#undef NAME

#undef TARGET
#undef BYTES
#undef SUFFIX
