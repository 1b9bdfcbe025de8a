/* One number type; passes.c says more. Arrays are C-contiguous. */

/* The largest number of each window, and where in its plane it lies: the first of equal ones, and a NaN before all. */
CLONES void NAME(pool_forward)(long planes, long H, long W, long HH, long WW, long stride, long H_out, long W_out,
                               const REAL *x, REAL *out, int32_t *where)
{
    for (long plane = 0; plane < planes; plane++, x += H * W)
        for (long i = 0; i < H_out; i++, out += W_out, where += W_out) {
            const REAL *top = x + i * stride * W;
            const int32_t start = (int32_t)(i * stride * W), step = (int32_t)stride;
            for (long j = 0; j < W_out; j++) {
                out[j] = top[j * stride];
                where[j] = start + (int32_t)j * step;
            }
            for (long r = 0; r < HH; r++)
                for (long c = r == 0; c < WW; c++) {
                    const REAL *here = top + r * W + c;
                    const int32_t place = start + (int32_t)(r * W + c);
                    for (long j = 0; j < W_out; j++) {
                        const REAL value = here[j * stride], best = out[j];
                        const int larger = !(value <= best) & (best == best);
                        out[j] = larger ? value : best;
                        where[j] = larger ? place + (int32_t)j * step : where[j];
                    }
                }
        }
}

void NAME(pool_backward)(long planes, long P, long P_out, const REAL *dout, const int32_t *where, REAL *dx)
{
    for (long plane = 0; plane < planes; plane++, dx += P, dout += P_out, where += P_out) {
        memset(dx, 0, P * sizeof(REAL)); /* here, so that the plane is still in cache when the gradients come */
        for (long o = 0; o < P_out; o++) dx[where[o]] += dout[o];
    }
}

/* Normalise the channels from `first` up to `last` of x (N, C, P), P pixels a channel. With `train`, mean and var (C,)
 * are those of the batch, and written; else they are given. A channel's numbers are summed in double precision, from
 * the first of them, so that a large mean costs no digits. */
CLONES void NAME(norm_forward)(long N, long C, long P, long first, long last, const REAL *x, const REAL *gamma,
                               const REAL *beta, double eps, int train, double *mean, double *var, REAL *inv_std,
                               REAL *out)
{
    const double count = (double)N * P;
    if (P == 1) { /* channels lie side by side: all of them at once, row by row */
        if (train) {
            for (long c = first; c < last; c++) mean[c] = var[c] = 0;
            for (long n = 1; n < N; n++)
                for (long c = first; c < last; c++) {
                    const double d = (double)x[n * C + c] - x[c];
                    mean[c] += d;
                    var[c] += d * d;
                }
            for (long c = first; c < last; c++) {
                const double offset = mean[c] / count, v = var[c] / count - offset * offset;
                mean[c] = x[c] + offset;
                var[c] = v < 0 ? 0 : v; /* rounding */
            }
        }
        for (long c = first; c < last; c++) inv_std[c] = (REAL)(1 / sqrt(var[c] + eps));
        for (long n = 0; n < N; n++)
            for (long c = first; c < last; c++) {
                SPLIT(mean[c]);
                out[n * C + c] = ((x[n * C + c] - high) - low) * inv_std[c] * gamma[c] + beta[c];
            }
        return;
    }
    for (long c = first; c < last; c++) {
        if (train) {
            const double start = x[c * P];
            double sums[LANES] = {0}, squares[LANES] = {0};
            for (long n = 0; n < N; n++) {
                const REAL *p = x + (n * C + c) * P;
                long i = 0;
                for (; i + LANES <= P; i += LANES)
                    for (int l = 0; l < LANES; l++) {
                        const double d = p[i + l] - start;
                        sums[l] += d;
                        squares[l] += d * d;
                    }
                for (; i < P; i++) {
                    const double d = p[i] - start;
                    sums[0] += d;
                    squares[0] += d * d;
                }
            }
            for (int l = 1; l < LANES; l++) sums[0] += sums[l], squares[0] += squares[l];
            const double offset = sums[0] / count, v = squares[0] / count - offset * offset;
            mean[c] = start + offset;
            var[c] = v < 0 ? 0 : v;
        }
        inv_std[c] = (REAL)(1 / sqrt(var[c] + eps));
        SPLIT(mean[c]);
        const REAL scale = inv_std[c] * gamma[c], shift = beta[c];
        for (long n = 0; n < N; n++) {
            const REAL *p = x + (n * C + c) * P;
            REAL *to = out + (n * C + c) * P;
            for (long i = 0; i < P; i++) to[i] = ((p[i] - high) - low) * scale + shift;
        }
    }
}

/* The gradients of norm_forward; x, mean and inv_std as it left them. */
CLONES void NAME(norm_backward)(long N, long C, long P, long first, long last, const REAL *x, const REAL *dout,
                                const double *mean, const REAL *inv_std, const REAL *gamma, int train, double *dgamma,
                                double *dbeta, REAL *dx)
{
    const double share = train ? 1 / ((double)N * P) : 0; /* test mode: mean and variance are constants */
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
                SPLIT(mean[c]);
                const REAL across = (REAL)(dbeta[c] * share), along = (REAL)(dgamma[c] * share) * inv_std[c];
                dx[n * C + c] = gamma[c] * inv_std[c] * (dout[n * C + c] - across - ((x[n * C + c] - high) - low) * along);
            }
        return;
    }
    for (long c = first; c < last; c++) {
        SPLIT(mean[c]);
        double sum = 0, product = 0;
        for (long n = 0; n < N; n++) {
            const REAL *p = x + (n * C + c) * P, *d = dout + (n * C + c) * P;
            for (long start = 0; start < P; start += 64 * LANES) { /* so many that REAL keeps enough digits */
                const long end = start + 64 * LANES < P ? start + 64 * LANES : P;
                REAL sums[LANES] = {0}, products[LANES] = {0};
                long i = start;
                for (; i + LANES <= end; i += LANES)
                    for (int l = 0; l < LANES; l++) {
                        sums[l] += d[i + l];
                        products[l] += d[i + l] * ((p[i + l] - high) - low);
                    }
                for (; i < end; i++) {
                    sum += d[i];
                    product += d[i] * ((p[i] - high) - low);
                }
                for (int l = 0; l < LANES; l++) sum += sums[l], product += products[l];
            }
        }
        dbeta[c] = sum;
        dgamma[c] = product * inv_std[c];
        const REAL scale = gamma[c] * inv_std[c], across = (REAL)(dbeta[c] * share);
        const REAL along = (REAL)(dgamma[c] * share) * inv_std[c];
        for (long n = 0; n < N; n++) {
            const REAL *p = x + (n * C + c) * P, *d = dout + (n * C + c) * P;
            REAL *to = dx + (n * C + c) * P;
            for (long i = 0; i < P; i++) to[i] = scale * (d[i] - across - ((p[i] - high) - low) * along);
        }
    }
}

CLONES void NAME(relu_forward)(long n, const REAL *x, REAL *out)
{
    for (long i = 0; i < n; i++) out[i] = x[i] <= 0 ? 0 : x[i]; /* a NaN stays one */
}

CLONES void NAME(relu_backward)(long n, const REAL *dout, const REAL *x, REAL *dx)
{
    for (long i = 0; i < n; i++) dx[i] = x[i] > 0 ? dout[i] : 0;
}

/* The sum of the losses of the rows of x (N, C), and the gradient dx of their mean. */
double NAME(softmax)(long N, long C, const REAL *x, const int64_t *y, REAL *dx)
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

CLONES void NAME(sgd)(long n, const REAL *w, const REAL *dw, double rate, REAL *next)
{
    const REAL step = (REAL)rate;
    for (long i = 0; i < n; i++) next[i] = w[i] - step * dw[i];
}

CLONES void NAME(momentum)(long n, const REAL *w, const REAL *dw, const REAL *velocity, double rate, double momentum,
                           REAL *next, REAL *next_velocity)
{
    const REAL step = (REAL)rate, keep = (REAL)momentum;
    for (long i = 0; i < n; i++) {
        const REAL v = keep * velocity[i] - step * dw[i];
        next_velocity[i] = v;
        next[i] = w[i] + v;
    }
}

CLONES void NAME(rmsprop)(long n, const REAL *w, const REAL *dw, const REAL *cache, double rate, double decay,
                          double epsilon, REAL *next, REAL *next_cache)
{
    const REAL step = (REAL)rate, keep = (REAL)decay, take = (REAL)(1 - decay), eps = (REAL)epsilon;
    for (long i = 0; i < n; i++) {
        const REAL c = keep * cache[i] + take * (dw[i] * dw[i]);
        next_cache[i] = c;
        next[i] = w[i] - step * dw[i] / (SQRT(c) + eps);
    }
}

/* unbias1 and unbias2 are 1 - beta1**t and 1 - beta2**t. */
CLONES void NAME(adam)(long n, const REAL *w, const REAL *dw, const REAL *m, const REAL *v, double rate, double beta1,
                       double beta2, double epsilon, double unbias1, double unbias2, REAL *next, REAL *next_m,
                       REAL *next_v)
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
