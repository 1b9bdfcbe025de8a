/* Convolution of one piece of a batch. See conv.c. */
#ifndef HANDGRAD_CONV_H
#define HANDGRAD_CONV_H

typedef struct {
    long N, C, H, W;   /* images of the piece */
    long F, HH, WW;    /* filters */
    long stride, pad;
    long H_out, W_out;
} conv_sizes;

/* 0, or -1 when memory is short. All arrays are C-contiguous. `isa` is what best_isa() gave, or lower. */
int conv_forward_f32(int isa, const conv_sizes *s, const float *x, const float *w, const float *b, float *out);
int conv_forward_f64(int isa, const conv_sizes *s, const double *x, const double *w, const double *b, double *out);

/* dx is written; dw and db, which are the piece's own, are written too. dx may be NULL: it is then left out. */
int conv_backward_f32(int isa, const conv_sizes *s, const float *x, const float *w, const float *dout,
                      float *dx, float *dw, float *db);
int conv_backward_f64(int isa, const conv_sizes *s, const double *x, const double *w, const double *dout,
                      double *dx, double *dw, double *db);

/* The best instruction set of this processor: 0 whatever the compiler takes for granted, 1 AVX2, 2 AVX-512. */
int best_isa(void);

#endif
