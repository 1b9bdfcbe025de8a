/* Layers that are one or two passes over memory, for one number type and one instruction set: what counts is how often
 * each number travels. Plain loops become vectors by the compiler's own wits, except for sums, whose order it must
 * keep. Included after conv_template.h, which defines VECTOR. */

typedef double NAME(wide) __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double))));
#define WIDE NAME(wide)
#define LOAD(p) (*(const VECTOR *)(p))
/* whole numbers as wide as REAL, as comparisons of vectors give */
typedef WHOLE NAME(whole) __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef int32_t NAME(int32s) __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(sizeof(int32_t)), may_alias));

TARGET static double NAME(add_lanes)(const WIDE *lanes)
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += (*lanes)[l];
    return sum;
}

/* The numbers that place (r, c) of LANES neighbouring windows has, `here` being that of the first. Only the first
 * `count` windows exist; what other lanes hold does not matter, but nothing is read there. */
TARGET static inline VECTOR NAME(pool_lanes)(const REAL *here, long stride, long count, int has_left, int has_right)
{
    if (count >= LANES && stride == 1) return LOAD(here);
#ifndef __clang__
    if (count >= LANES && stride == 2 && (has_left || has_right)) { /* every second number of two vectors */
        NAME(whole) even;
        for (int l = 0; l < LANES; l++) even[l] = 2 * l;
        if (has_right) return __builtin_shuffle(LOAD(here), LOAD(here + LANES), even);
        return __builtin_shuffle(LOAD(here - 1), LOAD(here - 1 + LANES), even + 1);
    }
#endif
    VECTOR lanes = {0};
    for (int l = 0; l < LANES && l < count; l++) lanes[l] = here[l * stride];
    return lanes;
}

/* The largest number of each window, and where in its plane it lies: the first of equal ones, and a NaN before all. */
TARGET static void NAME(pool_forward)(const conv_sizes *s, const REAL *x, REAL *out, int32_t *where)
{
    const long S = s->stride, W = s->W;
    NAME(whole) steps;
    for (int l = 0; l < LANES; l++) steps[l] = (WHOLE)(l * S);
    for (long plane = 0; plane < s->N * s->C; plane++, x += s->H * W)
        for (long i = 0; i < s->H_out; i++, out += s->W_out, where += s->W_out)
            for (long j = 0; j < s->W_out; j += LANES) {
                const long start = (i * W + j) * S, count = s->W_out - j;
                VECTOR best = {0};
                NAME(whole) places = {0};
                for (long r = 0; r < s->HH; r++)
                    for (long c = 0; c < s->WW; c++) {
                        const long place = start + r * W + c;
                        const VECTOR value = NAME(pool_lanes)(x + place, S, count, c > 0, c + 1 < s->WW);
                        const NAME(whole) larger =
                            r + c == 0 ? (NAME(whole)){0} - 1 : ~(NAME(whole))(value <= best) & (NAME(whole))(best == best);
                        best = (VECTOR)(((NAME(whole))value & larger) | ((NAME(whole))best & ~larger));
                        places = ((steps + (WHOLE)place) & larger) | (places & ~larger);
                    }
                const NAME(int32s) narrow = __builtin_convertvector(places, NAME(int32s));
                if (count >= LANES) {
                    *(VECTOR *)(out + j) = best;
                    *(NAME(int32s) *)(where + j) = narrow;
                } else
                    for (int l = 0; l < count; l++) {
                        out[j + l] = best[l];
                        where[j + l] = narrow[l];
                    }
            }
}

#ifndef __clang__
/* The gradient of one row of 2x2 windows side by side, for LANES windows: each pixel gets its window's, or 0. */
TARGET static void NAME(pool_backward_2x2)(const REAL *dout, const int32_t *where, REAL *dx, long W, long place)
{
    const VECTOR d = LOAD(dout);
    const NAME(whole) from = __builtin_convertvector(*(const NAME(int32s) *)where, NAME(whole));
    NAME(whole) steps, low, high;
    for (int l = 0; l < LANES; l++) { /* of two vectors every first number beside every second's */
        steps[l] = 2 * l;
        low[l] = l % 2 ? LANES + l / 2 : l / 2;
        high[l] = LANES / 2 + low[l];
    }
    for (long r = 0; r < 2; r++, dx += W, place += W) {
        const NAME(whole) here = steps + (WHOLE)place;
        const VECTOR left = (VECTOR)((NAME(whole))d & (NAME(whole))(from == here));
        const VECTOR right = (VECTOR)((NAME(whole))d & (NAME(whole))(from == here + 1));
        *(VECTOR *)dx = __builtin_shuffle(left, right, low);
        *(VECTOR *)(dx + LANES) = __builtin_shuffle(left, right, high);
    }
}
#endif

TARGET static void NAME(pool_backward)(const conv_sizes *s, const REAL *restrict dout, const int32_t *restrict where,
                                       REAL *restrict dx)
{
    const long P = s->H * s->W, P_out = s->H_out * s->W_out;
    for (long plane = 0; plane < s->N * s->C; plane++, dx += P, dout += P_out, where += P_out) {
#ifndef __clang__
        if (s->HH == 2 && s->WW == 2 && s->stride == 2 && s->W_out % LANES == 0) { /* the usual case: 0.7 of the time */
            for (long i = 0; i < s->H_out; i++)
                for (long j = 0; j < s->W_out; j += LANES) {
                    const long place = 2 * (i * s->W + j), o = i * s->W_out + j;
                    NAME(pool_backward_2x2)(dout + o, where + o, dx + place, s->W, place);
                }
            continue;
        }
#endif
        memset(dx, 0, P * sizeof(REAL)); /* here, so that the plane is still in cache when the gradients come */
        for (long o = 0; o < P_out; o++) dx[where[o]] += dout[o];
    }
}

/* x - mean loses no digits when the mean is taken off in two parts, the second being what REAL cannot hold of it. */
#define SPLIT_MEAN(mean) const REAL high = (REAL)(mean), low = (REAL)((mean) - high)

/* Sums over the N planes of P numbers, `apart` numbers from one to the next: of x - start, of (x - start)**2, and with
 * d of d and d * (x - start), where start is given in two parts. A plane's sums are REAL, those of all are double. */
#define PLANE_SUM(LANE_TERM, TERM)                                                                                \
    WIDE lanes = {0};                                                                                             \
    double rest = 0;                                                                                              \
    for (long n = 0; n < N; n++) {                                                                                \
        long i = 0;                                                                                               \
        while (i + LANES <= P) {                                                                                  \
            VECTOR sum = {0}, other = {0};                                                                        \
            const long end = i + 128 * LANES < P ? i + 128 * LANES : P;                                           \
            for (; i + 2 * LANES <= end; i += 2 * LANES) {                                                        \
                sum += LANE_TERM(i);                                                                              \
                other += LANE_TERM(i + LANES);                                                                    \
            }                                                                                                     \
            for (; i + LANES <= end; i += LANES) sum += LANE_TERM(i);                                             \
            lanes += __builtin_convertvector(sum + other, WIDE);                                                  \
        }                                                                                                         \
        for (; i < P; i++) rest += TERM(i);                                                                       \
        NEXT_PLANE;                                                                                               \
    }                                                                                                             \
    return rest + NAME(add_lanes)(&lanes)

#define NEXT_PLANE x += apart
#define LANE_TERM(i) ((LOAD(x + (i)) - high) - low)
#define TERM(i) ((x[i] - high) - low)
TARGET static double NAME(sum)(long N, long P, long apart, const REAL *x, REAL high, REAL low)
{
    PLANE_SUM(LANE_TERM, TERM);
}
#undef LANE_TERM
#undef TERM

#define LANE_TERM(i) (((LOAD(x + (i)) - high) - low) * ((LOAD(x + (i)) - high) - low))
#define TERM(i) (((x[i] - high) - low) * ((x[i] - high) - low))
TARGET static double NAME(sum_of_squares)(long N, long P, long apart, const REAL *x, REAL high, REAL low)
{
    PLANE_SUM(LANE_TERM, TERM);
}
#undef LANE_TERM
#undef TERM
#undef NEXT_PLANE

#define NEXT_PLANE x += apart, d += apart
#define LANE_TERM(i) (LOAD(d + (i)) * ((LOAD(x + (i)) - high) - low))
#define TERM(i) (d[i] * ((x[i] - high) - low))
TARGET static double NAME(sum_of_products)(long N, long P, long apart, const REAL *x, const REAL *d, REAL high, REAL low)
{
    PLANE_SUM(LANE_TERM, TERM);
}
#undef LANE_TERM
#undef TERM
#undef NEXT_PLANE
#undef PLANE_SUM

/* Normalise the channels from `first` up to `last` of x (N, C, P), P pixels a channel. With `train`, mean and var (C,)
 * are those of the batch, and written; else they are given. */
TARGET static void NAME(norm_forward)(long N, long C, long P, long first, long last, const REAL *restrict x,
                                      const REAL *restrict gamma, const REAL *restrict beta, double eps, int train,
                                      double *restrict mean, double *restrict var, REAL *restrict inv_std,
                                      REAL *restrict out)
{
    const double count = (double)N * P;
    if (P == 1) { /* channels lie side by side: all of them at once, row by row */
        if (train) {
            for (long c = first; c < last; c++) mean[c] = var[c] = 0;
            for (long n = 0; n < N; n++)
                for (long c = first; c < last; c++) mean[c] += x[n * C + c];
            for (long c = first; c < last; c++) mean[c] /= count;
            for (long n = 0; n < N; n++)
                for (long c = first; c < last; c++) var[c] += (x[n * C + c] - mean[c]) * (x[n * C + c] - mean[c]);
            for (long c = first; c < last; c++) var[c] /= count;
        }
        for (long c = first; c < last; c++) inv_std[c] = (REAL)(1 / sqrt(var[c] + eps));
        for (long n = 0; n < N; n++)
            for (long c = first; c < last; c++) {
                SPLIT_MEAN(mean[c]);
                out[n * C + c] = ((x[n * C + c] - high) - low) * (inv_std[c] * gamma[c]) + beta[c];
            }
        return;
    }
    for (long c = first; c < last; c++) {
        if (train) { /* from the first number on: the sum of large numbers would lose digits */
            mean[c] = x[c * P] + NAME(sum)(N, P, C * P, x + c * P, x[c * P], 0) / count;
            SPLIT_MEAN(mean[c]);
            var[c] = NAME(sum_of_squares)(N, P, C * P, x + c * P, high, low) / count;
        }
        inv_std[c] = (REAL)(1 / sqrt(var[c] + eps));
        SPLIT_MEAN(mean[c]);
        const REAL scale = inv_std[c] * gamma[c], shift = beta[c];
        for (long n = 0; n < N; n++) {
            const REAL *restrict p = x + (n * C + c) * P;
            REAL *restrict to = out + (n * C + c) * P;
            for (long i = 0; i < P; i++) to[i] = ((p[i] - high) - low) * scale + shift;
        }
    }
}

/* The gradients of norm_forward; x, mean and inv_std as it left them. In test mode mean and variance are constants. */
TARGET static void NAME(norm_backward)(long N, long C, long P, long first, long last, const REAL *restrict x,
                                       const REAL *restrict dout, const double *restrict mean,
                                       const REAL *restrict inv_std, const REAL *restrict gamma, int train,
                                       double *restrict dgamma, double *restrict dbeta, REAL *restrict dx)
{
    const double share = train ? 1 / ((double)N * P) : 0;
    if (P == 1) {
        for (long c = first; c < last; c++) dgamma[c] = dbeta[c] = 0;
        for (long n = 0; n < N; n++)
            for (long c = first; c < last; c++) {
                const double d = dout[n * C + c];
                dbeta[c] += d;
                dgamma[c] += d * (x[n * C + c] - mean[c]);
            }
        for (long c = first; c < last; c++) dgamma[c] *= inv_std[c];
        for (long n = 0; n < N; n++)
            for (long c = first; c < last; c++) {
                SPLIT_MEAN(mean[c]);
                const REAL across = (REAL)(dbeta[c] * share), along = (REAL)(dgamma[c] * share) * inv_std[c];
                dx[n * C + c] = gamma[c] * inv_std[c] * (dout[n * C + c] - across - ((x[n * C + c] - high) - low) * along);
            }
        return;
    }
    for (long c = first; c < last; c++) {
        SPLIT_MEAN(mean[c]);
        dbeta[c] = NAME(sum)(N, P, C * P, dout + c * P, 0, 0);
        dgamma[c] = NAME(sum_of_products)(N, P, C * P, x + c * P, dout + c * P, high, low) * inv_std[c];
        const REAL scale = gamma[c] * inv_std[c], across = (REAL)(dbeta[c] * share);
        const REAL along = (REAL)(dgamma[c] * share) * inv_std[c];
        for (long n = 0; n < N; n++) {
            const REAL *restrict p = x + (n * C + c) * P, *restrict d = dout + (n * C + c) * P;
            REAL *restrict to = dx + (n * C + c) * P;
            for (long i = 0; i < P; i++) to[i] = scale * (d[i] - across - ((p[i] - high) - low) * along);
        }
    }
}

TARGET static void NAME(relu_forward)(long n, const REAL *restrict x, REAL *restrict out)
{
    for (long i = 0; i < n; i++) out[i] = x[i] <= 0 ? 0 : x[i]; /* a NaN stays one */
}

TARGET static void NAME(relu_backward)(long n, const REAL *restrict dout, const REAL *restrict x, REAL *restrict dx)
{
    for (long i = 0; i < n; i++) dx[i] = x[i] > 0 ? dout[i] : 0;
}

/* The sum of the losses of the rows of x (N, C), and the gradient dx of their mean. */
TARGET static double NAME(softmax)(long N, long C, const REAL *restrict x, const int64_t *restrict y, REAL *restrict dx)
{
    double loss = 0;
    for (long n = 0; n < N; n++, x += C, dx += C) {
        REAL largest = x[0], sum = 0;
        for (long c = 1; c < C; c++) largest = x[c] > largest ? x[c] : largest;
        for (long c = 0; c < C; c++) {
            dx[c] = EXP(x[c] - largest);
            sum += dx[c];
        }
        loss += log((double)sum) - (double)(x[y[n]] - largest);
        const REAL scale = 1 / (sum * N);
        for (long c = 0; c < C; c++) dx[c] *= scale;
        dx[y[n]] -= (REAL)1 / N;
    }
    return loss;
}

TARGET static void NAME(sgd)(long n, const REAL *restrict w, const REAL *restrict dw, double rate, REAL *restrict next)
{
    const REAL step = (REAL)rate;
    for (long i = 0; i < n; i++) next[i] = w[i] - step * dw[i];
}

TARGET static void NAME(momentum)(long n, const REAL *restrict w, const REAL *restrict dw, const REAL *restrict velocity,
                                  double rate, double momentum, REAL *restrict next, REAL *restrict next_velocity)
{
    const REAL step = (REAL)rate, keep = (REAL)momentum;
    for (long i = 0; i < n; i++) {
        const REAL v = keep * velocity[i] - step * dw[i];
        next_velocity[i] = v;
        next[i] = w[i] + v;
    }
}

TARGET static void NAME(rmsprop)(long n, const REAL *restrict w, const REAL *restrict dw, const REAL *restrict cache,
                                 double rate, double decay, double epsilon, REAL *restrict next,
                                 REAL *restrict next_cache)
{
    const REAL step = (REAL)rate, keep = (REAL)decay, take = (REAL)(1 - decay), eps = (REAL)epsilon;
    for (long i = 0; i < n; i++) {
        const REAL c = keep * cache[i] + take * (dw[i] * dw[i]);
        next_cache[i] = c;
        next[i] = w[i] - step * dw[i] / (SQRT(c) + eps);
    }
}

/* unbias1 and unbias2 are 1 - beta1**t and 1 - beta2**t. */
TARGET static void NAME(adam)(long n, const REAL *restrict w, const REAL *restrict dw, const REAL *restrict m,
                              const REAL *restrict v, double rate, double beta1, double beta2, double epsilon,
                              double unbias1, double unbias2, REAL *restrict next, REAL *restrict next_m,
                              REAL *restrict next_v)
{
    const REAL keep1 = (REAL)beta1, take1 = (REAL)(1 - beta1), keep2 = (REAL)beta2, take2 = (REAL)(1 - beta2);
    const REAL step = (REAL)(rate / unbias1), root = (REAL)(1 / sqrt(unbias2)), eps = (REAL)epsilon;
    for (long i = 0; i < n; i++) {
        const REAL mean = keep1 * m[i] + take1 * dw[i], square = keep2 * v[i] + take2 * (dw[i] * dw[i]);
        next_m[i] = mean;
        next_v[i] = square;
        next[i] = w[i] - step * mean / (SQRT(square) * root + eps);
    }
}

static const JOIN(kernels_, TYPE) NAME(table) = {
    NAME(conv_forward), NAME(conv_backward), NAME(pool_forward), NAME(pool_backward), NAME(norm_forward),
    NAME(norm_backward), NAME(relu_forward), NAME(relu_backward), NAME(softmax), NAME(sgd), NAME(momentum),
    NAME(rmsprop), NAME(adam),
};
#undef SPLIT_MEAN
#undef LOAD
#undef WIDE
#undef VECTOR
