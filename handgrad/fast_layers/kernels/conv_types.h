/* Both number types for the instruction set that TARGET, BYTES (of a vector) and SUFFIX name. */
#define REAL float
#define LANES (BYTES / 4)
#define NAME(x) JOIN(JOIN(x, _f32), SUFFIX)
#include "conv_template.h"
#undef REAL
#undef LANES
#undef NAME

#define REAL double
#define LANES (BYTES / 8)
#define NAME(x) JOIN(JOIN(x, _f64), SUFFIX)
#include "conv_template.h"
#undef REAL
#undef LANES
#undef NAME

#undef TARGET
#undef BYTES
#undef SUFFIX
