/* The fast layers' kernels. All arrays are C-contiguous; none may overlap another. */
#ifndef HANDGRAD_KERNELS_H
#define HANDGRAD_KERNELS_H

#include <stdint.h>

typedef struct {
    long N, C, H, W;   /* images */
    long F, HH, WW;    /* filters, or windows */
    long stride, pad;
    long H_out, W_out;
} conv_sizes;

/* One table of kernels for each number type. What each does is said where it is written, in conv_template.h and
 * passes_template.h. */
#define KERNELS(REAL, TYPE)                                                                                       \
    typedef struct {                                                                                              \
        int (*conv_forward)(const conv_sizes *s, const REAL *x, const REAL *w, const REAL *b, REAL *out);          \
        int (*conv_backward)(const conv_sizes *s, const REAL *x, const REAL *w, const REAL *dout, REAL *dx,        \
                             REAL *dw, REAL *db);                                                                 \
        void (*pool_forward)(const conv_sizes *s, const REAL *x, REAL *out, int32_t *where);                       \
        void (*pool_backward)(const conv_sizes *s, const REAL *dout, const int32_t *where, REAL *dx);              \
        void (*norm_forward)(long N, long C, long P, long first, long last, const REAL *x, const REAL *gamma,      \
                             const REAL *beta, double eps, int train, double *mean, double *var, REAL *inv_std,   \
                             REAL *out);                                                                          \
        void (*norm_backward)(long N, long C, long P, long first, long last, const REAL *x, const REAL *dout,      \
                              const double *mean, const REAL *inv_std, const REAL *gamma, int train,              \
                              double *dgamma, double *dbeta, REAL *dx);                                           \
        void (*relu_forward)(long n, const REAL *x, REAL *out);                                                   \
        void (*relu_backward)(long n, const REAL *dout, const REAL *x, REAL *dx);                                 \
        double (*softmax)(long N, long C, const REAL *x, const int64_t *y, REAL *dx);                             \
        void (*sgd)(long n, const REAL *w, const REAL *dw, double rate, REAL *next);                              \
        void (*momentum)(long n, const REAL *w, const REAL *dw, const REAL *velocity, double rate,                \
                         double momentum, REAL *next, REAL *next_velocity);                                      \
        void (*rmsprop)(long n, const REAL *w, const REAL *dw, const REAL *cache, double rate, double decay,      \
                        double epsilon, REAL *next, REAL *next_cache);                                           \
        void (*adam)(long n, const REAL *w, const REAL *dw, const REAL *m, const REAL *v, double rate,            \
                     double beta1, double beta2, double epsilon, double unbias1, double unbias2, REAL *next,      \
                     REAL *next_m, REAL *next_v);                                                                 \
    } kernels_##TYPE;                                                                                             \
    const kernels_##TYPE *get_kernels_##TYPE(int isa);
KERNELS(float, f32)
KERNELS(double, f64)
#undef KERNELS

/* The best instruction set of this processor: 0 whatever the compiler takes for granted, 1 AVX2, 2 AVX-512. */
int best_isa(void);

#endif
