/* Layers that are one or two passes over memory. See passes.c. */
#ifndef HANDGRAD_PASSES_H
#define HANDGRAD_PASSES_H

#include <stdint.h>

#define DECLARE(REAL, TYPE)                                                                                       \
    void pool_forward_##TYPE(long planes, long H, long W, long HH, long WW, long stride, long H_out, long W_out,   \
                             const REAL *x, REAL *out, int32_t *where);                                           \
    void pool_backward_##TYPE(long planes, long P, long P_out, const REAL *dout, const int32_t *where, REAL *dx);  \
    void norm_forward_##TYPE(long N, long C, long P, long first, long last, const REAL *x, const REAL *gamma,      \
                             const REAL *beta, double eps, int train, double *mean, double *var, REAL *inv_std,   \
                             REAL *out);                                                                          \
    void norm_backward_##TYPE(long N, long C, long P, long first, long last, const REAL *x, const REAL *dout,      \
                              const double *mean, const REAL *inv_std, const REAL *gamma, int train,              \
                              double *dgamma, double *dbeta, REAL *dx);                                           \
    void relu_forward_##TYPE(long n, const REAL *x, REAL *out);                                                   \
    void relu_backward_##TYPE(long n, const REAL *dout, const REAL *x, REAL *dx);                                 \
    double softmax_##TYPE(long N, long C, const REAL *x, const int64_t *y, REAL *dx);                             \
    void sgd_##TYPE(long n, const REAL *w, const REAL *dw, double rate, REAL *next);                              \
    void momentum_##TYPE(long n, const REAL *w, const REAL *dw, const REAL *velocity, double rate,                \
                         double momentum, REAL *next, REAL *next_velocity);                                      \
    void rmsprop_##TYPE(long n, const REAL *w, const REAL *dw, const REAL *cache, double rate, double decay,      \
                        double epsilon, REAL *next, REAL *next_cache);                                           \
    void adam_##TYPE(long n, const REAL *w, const REAL *dw, const REAL *m, const REAL *v, double rate,            \
                     double beta1, double beta2, double epsilon, double unbias1, double unbias2, REAL *next,      \
                     REAL *next_m, REAL *next_v);
DECLARE(float, f32)
DECLARE(double, f64)
#undef DECLARE
#endif
