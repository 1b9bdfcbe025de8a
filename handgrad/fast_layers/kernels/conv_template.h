/* Convolution as an implicit matrix product, for one number type and one instruction set.
 *
 * No matrix of windows is written down. An image is padded once, and split into stride x stride phases, so that
 * the pixels that one weight meets at neighbouring outputs lie side by side in memory. A tile of outputs,
 * R filters by V vectors of pixels, then stays in registers while all weights pass by: R weights and V vectors
 * are read for R * V multiply-adds. The gradient of x is the same sum with the filters turned around, the
 * gradient of w one with pixels and filters in each other's place.
 *
 * Expects REAL, LANES (numbers in a vector), TARGET and NAME(x). */
typedef REAL NAME(vector) __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define VECTOR NAME(vector)

/* An image, padded and split into phases: pixel (y, x) of channel c lies in phase (y % stride, x % stride) at
 * (y / stride, x / stride). `rows` and `pitch` are the height and width of a phase. */
typedef struct {
    REAL *pixels;
    long stride, rows, pitch;
} NAME(split_image);

TARGET static void NAME(split)(NAME(split_image) to, const REAL *image, long C, long H, long W, long top, long left)
{
    const long S = to.stride;
    REAL *phase = to.pixels;
    for (long c = 0; c < C; c++, image += H * W)
        for (long a = 0; a < S; a++)
            for (long b = 0; b < S; b++, phase += to.rows * to.pitch) {
                /* the first row and column of the phase that lie in the image, and where in the image */
                const long row = top > a ? (top - a + S - 1) / S : 0, column = left > b ? (left - b + S - 1) / S : 0;
                const long y = row * S + a - top, x = column * S + b - left;
                /* how many follow: no output sees pixels beyond the phase */
                long height = y < H ? (H - 1 - y) / S + 1 : 0, width = x < W ? (W - 1 - x) / S + 1 : 0;
                height = height < to.rows - row ? height : to.rows - row;
                width = width < to.pitch - column ? width : to.pitch - column;
                REAL *restrict o = phase + row * to.pitch + column;
                const REAL *restrict p = image + y * W + x;
                for (long i = 0; i < height; i++, o += to.pitch, p += S * W)
                    if (S == 1) for (long j = 0; j < width; j++) o[j] = p[j];
                    else if (S == 2) for (long j = 0; j < width; j++) o[j] = p[2 * j];
                    else for (long j = 0; j < width; j++) o[j] = p[S * j];
            }
}

/* Where the pixel that weight (c, h, v) meets at output 0 lies in a split image. */
static ptrdiff_t NAME(tap)(NAME(split_image) at, long c, long h, long v)
{
    const long S = at.stride;
    return (((c * S + h % S) * S + v % S) * at.rows + h / S) * at.pitch + v / S;
}

/* tile[v][r] = sum over k of weights[k][r] * x[v][taps[k]], for R filters and V vectors of pixels. */
#define TILE(R, V)                                                                                                \
    TARGET static void NAME(tile_##R)(const REAL *const *x, const ptrdiff_t *taps, long K, const REAL *weights,    \
                                      REAL *tile)                                                                 \
    {                                                                                                             \
        VECTOR sums[R][V];                                                                                        \
        const REAL *at[V];                                                                                        \
        for (int r = 0; r < R; r++) for (int v = 0; v < V; v++) sums[r][v] = (VECTOR){0};                          \
        for (int v = 0; v < V; v++) at[v] = x[v];                                                                 \
        for (long k = 0; k < K; k++, weights += R) {                                                              \
            const ptrdiff_t tap = taps[k];                                                                        \
            VECTOR pixels[V];                                                                                     \
            _Pragma("GCC unroll 16") for (int v = 0; v < V; v++) pixels[v] = *(const VECTOR *)(at[v] + tap);       \
            _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                   \
                _Pragma("GCC unroll 16") for (int v = 0; v < V; v++) sums[r][v] += weights[r] * pixels[v];         \
        }                                                                                                         \
        for (int v = 0; v < V; v++)                                                                               \
            for (int r = 0; r < R; r++) *(VECTOR *)(tile + (v * R + r) * LANES) = sums[r][v];                      \
    }
#ifdef SMALL_TILES
TILE(6, 2)
TILE(4, 3)
TILE(3, 4)
TILE(2, 6)
TILE(1, 6)
#else
TILE(12, 2)
TILE(8, 3)
TILE(6, 4)
TILE(4, 6)
TILE(3, 8)
TILE(2, 8)
TILE(1, 8)
#endif
#undef TILE

/* The filters of the next panel, of so many that are left: the largest tile that wastes no row. */
static long NAME(panel)(long left)
{
#ifdef SMALL_TILES
    return left >= 6 ? 6 : left >= 4 ? 4 : left;
#else
    return left >= 12 ? 12 : left >= 8 ? 8 : left >= 6 ? 6 : left >= 4 ? 4 : left;
#endif
}

TARGET static long NAME(one_tile)(long R, const REAL *const *x, const ptrdiff_t *taps, long K, const REAL *weights,
                                  REAL *tile)
{
    switch (R) {
#ifdef SMALL_TILES
    case 6: NAME(tile_6)(x, taps, K, weights, tile); return 2;
    case 4: NAME(tile_4)(x, taps, K, weights, tile); return 3;
    case 3: NAME(tile_3)(x, taps, K, weights, tile); return 4;
    case 2: NAME(tile_2)(x, taps, K, weights, tile); return 6;
    default: NAME(tile_1)(x, taps, K, weights, tile); return 6;
#else
    case 12: NAME(tile_12)(x, taps, K, weights, tile); return 2;
    case 8: NAME(tile_8)(x, taps, K, weights, tile); return 3;
    case 6: NAME(tile_6)(x, taps, K, weights, tile); return 4;
    case 4: NAME(tile_4)(x, taps, K, weights, tile); return 6;
    case 3: NAME(tile_3)(x, taps, K, weights, tile); return 8;
    case 2: NAME(tile_2)(x, taps, K, weights, tile); return 8;
    default: NAME(tile_1)(x, taps, K, weights, tile); return 8;
#endif
    }
}

static long NAME(vectors_of)(long R)
{
#ifdef SMALL_TILES
    return R == 6 ? 2 : R == 4 ? 3 : R == 3 ? 4 : 6;
#else
    return R == 12 ? 2 : R == 8 ? 3 : R == 6 ? 4 : R == 4 ? 6 : 8;
#endif
}

/* Where the outputs of a correlation go: output (f, i, j) to start[f * filter + i * row + j * column]. */
typedef struct {
    REAL *start;
    ptrdiff_t filter, row, column;
} NAME(target);

/* Write one vector of outputs that begins at (i, j); lanes beyond W continue in the next rows, `pitch` apart. */
TARGET static void NAME(store)(NAME(target) to, long f, long i, long j, long H, long W, long pitch, const REAL *lanes,
                               REAL bias)
{
    REAL *out = to.start + f * to.filter + i * to.row;
    if (j + LANES <= W && to.column == 1) {
        *(VECTOR *)(out + j) = *(const VECTOR *)lanes + bias;
        return;
    }
    for (long l = 0; l < LANES && i < H; i++, out += to.row) {
        for (; j < W && l < LANES; j++, l++) out[j * to.column] = lanes[l] + bias;
        l += pitch - j; /* outputs of no image: between the end of a row and the beginning of the next */
        j = 0;
    }
}

/* out(f, i, j) = sum over k of packed[f][k] * x[taps[k] + i * pitch + j] + bias[f], for F filters and H x W outputs.
 * `packed` has panels of filters, in a panel [k][filter]. */
TARGET static void NAME(correlate)(const REAL *x, long pitch, const ptrdiff_t *taps, long K, const REAL *packed, long F,
                                   long H, long W, NAME(target) to, const REAL *bias)
{
    REAL tile[24 * LANES] __attribute__((aligned(64)));
    /* Vectors run along rows, or right through from row to row where that takes fewer of them. */
    const long across = (W + LANES - 1) / LANES;
    const long through = (H * pitch - (pitch - W) + LANES - 1) / LANES;
    const int runs_through = through < H * across;
    const long vectors = runs_through ? through : H * across;
    for (long f = 0, R; f < F; f += R, packed += R * K) {
        R = NAME(panel)(F - f);
        const long V = NAME(vectors_of)(R);
        long i = 0, j = 0;
        for (long done = 0; done < vectors; done += V) {
            const REAL *at[8] = {x};
            long rows[8], columns[8];
            const long m = vectors - done < V ? vectors - done : V;
            for (long v = 0; v < V; v++) {
                if (v >= m) { /* nothing is left for this vector: any pixels will do */
                    at[v] = at[0];
                    continue;
                }
                at[v] = x + i * pitch + j;
                rows[v] = i;
                columns[v] = j;
                j += LANES;
                if (!runs_through && j >= W) j = 0, i++;
                while (runs_through && j >= pitch) j -= pitch, i++;
            }
            NAME(one_tile)(R, at, taps, K, packed, tile);
            for (long v = 0; v < m; v++)
                for (long r = 0; r < R; r++) {
                    /* along rows, lanes beyond W are no outputs at all */
                    const long H_here = runs_through ? H : rows[v] + 1;
                    NAME(store)(to, f + r, rows[v], columns[v], H_here, W, pitch, tile + (v * R + r) * LANES,
                                bias ? bias[f + r] : 0);
                }
        }
    }
}

/* sums[r][f] += sum over positions (i, j) of x[r][i * pitch + j] * d[(i * W + j) * width + f], for R weights and two
 * vectors of filters. */
#define OUTER(R)                                                                                                  \
    TARGET static void NAME(outer_##R)(const REAL *const *x, long pitch, const REAL *d, long width, long H, long W, \
                                       REAL *sums, long rows)                                                     \
    {                                                                                                             \
        VECTOR first[R], second[R];                                                                               \
        const REAL *at[R];                                                                                        \
        for (int r = 0; r < R; r++) first[r] = second[r] = (VECTOR){0}, at[r] = x[r];                             \
        for (long i = 0; i < H; i++)                                                                              \
            for (long j = 0; j < W; j++, d += width) {                                                            \
                const VECTOR u = *(const VECTOR *)d, v = *(const VECTOR *)(d + LANES);                            \
                _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) {                                             \
                    const REAL pixel = at[r][i * pitch + j];                                                      \
                    first[r] += pixel * u;                                                                        \
                    second[r] += pixel * v;                                                                       \
                }                                                                                                 \
            }                                                                                                     \
        for (long r = 0; r < rows; r++, sums += width) {                                                          \
            *(VECTOR *)sums += first[r];                                                                          \
            *(VECTOR *)(sums + LANES) += second[r];                                                               \
        }                                                                                                         \
    }
#ifdef SMALL_TILES
OUTER(6)
OUTER(5)
OUTER(3)
#else
OUTER(12)
OUTER(10)
OUTER(9)
OUTER(7)
OUTER(4)
#endif
#undef OUTER

/* sums[k][f] += sum over positions p of x[taps[k] + p] * d[p][f]; d has `width` columns, a multiple of two vectors. */
TARGET static void NAME(outer)(const REAL *x, long pitch, const ptrdiff_t *taps, long K, const REAL *d, long width, long H,
                               long W, REAL *sums)
{
#ifdef SMALL_TILES
    const long most = 6;
#else
    const long most = 12;
#endif
    const long panels = (K + most - 1) / most;
    const long even = (K + panels - 1) / panels; /* panels of one height: no short one at the end */
#ifdef SMALL_TILES
    const long R = even > 5 ? 6 : even > 3 ? 5 : 3;
#else
    const long R = even > 10 ? 12 : even > 9 ? 10 : even > 7 ? 9 : even > 4 ? 7 : 4;
#endif
    for (long k = 0; k < K; k += R) {
        const REAL *at[12];
        const long rows = K - k < R ? K - k : R;
        for (long r = 0; r < R; r++) at[r] = x + taps[k + r < K ? k + r : K - 1];
        for (long f = 0; f < width; f += 2 * LANES) {
            REAL *out = sums + k * width + f;
            switch (R) {
#ifdef SMALL_TILES
            case 6: NAME(outer_6)(at, pitch, d + f, width, H, W, out, rows); break;
            case 5: NAME(outer_5)(at, pitch, d + f, width, H, W, out, rows); break;
            default: NAME(outer_3)(at, pitch, d + f, width, H, W, out, rows);
#else
            case 12: NAME(outer_12)(at, pitch, d + f, width, H, W, out, rows); break;
            case 10: NAME(outer_10)(at, pitch, d + f, width, H, W, out, rows); break;
            case 9: NAME(outer_9)(at, pitch, d + f, width, H, W, out, rows); break;
            case 7: NAME(outer_7)(at, pitch, d + f, width, H, W, out, rows); break;
            default: NAME(outer_4)(at, pitch, d + f, width, H, W, out, rows);
#endif
            }
        }
    }
}

/* d[p][f] = dout[f][p], and db[f] += sum over p of dout[f][p]; in blocks, so that writes stay in cache. */
TARGET static void NAME(turn)(const REAL *dout, long F, long P, REAL *d, long width, REAL *db)
{
    for (long p0 = 0; p0 < P; p0 += 32) {
        const long p1 = p0 + 32 < P ? p0 + 32 : P;
        for (long f = 0; f < F; f++) {
            const REAL *row = dout + f * P;
            REAL sum = 0;
            for (long p = p0; p < p1; p++) {
                d[p * width + f] = row[p];
                sum += row[p];
            }
            db[f] += sum;
        }
    }
}

/* 0, or -1 when memory is short. */
TARGET static int NAME(conv_forward)(const conv_sizes *s, const REAL *x, const REAL *w, const REAL *b, REAL *out)
{
    const long K = s->C * s->HH * s->WW, S = s->stride, P = s->H_out * s->W_out;
    NAME(split_image) image = {NULL, S, s->H_out + (s->HH - 1) / S, s->W_out + (s->WW - 1) / S};
    void *owners[2] = {NULL, NULL};
    ptrdiff_t *taps = malloc(K * sizeof *taps);
    /* a vector may read beyond the last pixel */
    image.pixels = new_zeros((s->C * S * S * image.rows * image.pitch + 2 * LANES) * sizeof(REAL), &owners[0]);
    REAL *packed = new_zeros(s->F * K * sizeof(REAL), &owners[1]);
    const int short_of_memory = !taps || !image.pixels || !packed;
    if (!short_of_memory) {
        REAL *next = packed;
        for (long f = 0, R; f < s->F; f += R) {
            R = NAME(panel)(s->F - f);
            for (long k = 0; k < K; k++)
                for (long r = 0; r < R; r++) *next++ = w[(f + r) * K + k];
        }
        long k = 0;
        for (long c = 0; c < s->C; c++)
            for (long h = 0; h < s->HH; h++)
                for (long v = 0; v < s->WW; v++) taps[k++] = NAME(tap)(image, c, h, v);
        for (long n = 0; n < s->N; n++) {
            NAME(split)(image, x + n * s->C * s->H * s->W, s->C, s->H, s->W, s->pad, s->pad);
            const NAME(target) to = {out + n * s->F * P, P, s->W_out, 1};
            NAME(correlate)(image.pixels, image.pitch, taps, K, packed, s->F, s->H_out, s->W_out, to, b);
        }
    }
    free(taps);
    free(owners[0]);
    free(owners[1]);
    return short_of_memory ? -1 : 0;
}

/* The gradient of x. Input row y meets weight row h at output row (y + pad - h) / stride, if that divides: so the
 * inputs of each phase of (y + pad) % stride see a filter of their own, made of every stride-th weight. */
TARGET static int NAME(backward_x)(const conv_sizes *s, const REAL *w, const REAL *dout, REAL *dx)
{
    const long C = s->C, F = s->F, S = s->stride, H = s->H, W = s->W, pad = s->pad;
    const long tall = (s->HH + S - 1) / S, wide = (s->WW + S - 1) / S; /* of the largest phase's filter */
    const long most = F * tall * wide;
    NAME(split_image) padded = {NULL, 1, (H - 1 + pad) / S + tall, (W - 1 + pad) / S + wide};
    void *owners[2] = {NULL, NULL};
    ptrdiff_t *taps = malloc(S * S * most * sizeof *taps);
    long *counts = malloc(S * S * sizeof *counts);
    padded.pixels = new_zeros((F * padded.rows * padded.pitch + 2 * LANES) * sizeof(REAL), &owners[0]);
    REAL *packed = new_zeros(S * S * most * C * sizeof(REAL), &owners[1]);
    const int short_of_memory = !taps || !counts || !padded.pixels || !packed;
    if (!short_of_memory) {
        for (long h0 = 0; h0 < S; h0++)
            for (long v0 = 0; v0 < S; v0++) {
                const long phase = h0 * S + v0;
                const long high = h0 < s->HH ? (s->HH - h0 + S - 1) / S : 0;
                const long across = v0 < s->WW ? (s->WW - v0 + S - 1) / S : 0;
                const long K = F * high * across;
                ptrdiff_t *tap = taps + phase * most;
                counts[phase] = K;
                long k = 0;
                for (long f = 0; f < F; f++)
                    for (long a = 0; a < high; a++)
                        for (long e = 0; e < across; e++, k++) {
                            tap[k] = (f * padded.rows + tall - 1 - a) * padded.pitch + wide - 1 - e;
                            for (long c = 0, R; c < C; c += R) {
                                R = NAME(panel)(C - c);
                                REAL *panel = packed + phase * most * C + c * K + k * R;
                                for (long r = 0; r < R; r++)
                                    panel[r] = w[((f * C + c + r) * s->HH + h0 + S * a) * s->WW + v0 + S * e];
                            }
                        }
            }
        for (long n = 0; n < s->N; n++) {
            NAME(split)(padded, dout + n * F * s->H_out * s->W_out, F, s->H_out, s->W_out, tall - 1, wide - 1);
            for (long h0 = 0; h0 < S; h0++)
                for (long v0 = 0; v0 < S; v0++) {
                    const long phase = h0 * S + v0;
                    /* rows y = S * a + h0 - pad from 0 to H - 1, columns likewise */
                    const long a0 = pad > h0 ? (pad - h0 + S - 1) / S : 0, e0 = pad > v0 ? (pad - v0 + S - 1) / S : 0;
                    const long y = S * a0 + h0 - pad, z = S * e0 + v0 - pad;
                    if (y >= H || z >= W) continue;
                    const NAME(target) to = {dx + n * C * H * W + y * W + z, H * W, S * W, S};
                    NAME(correlate)(padded.pixels + a0 * padded.pitch + e0, padded.pitch, taps + phase * most,
                                    counts[phase], packed + phase * most * C, C, (H - 1 - y) / S + 1, (W - 1 - z) / S + 1,
                                    to, NULL);
                }
        }
    }
    free(taps);
    free(counts);
    free(owners[0]);
    free(owners[1]);
    return short_of_memory ? -1 : 0;
}

TARGET static int NAME(backward_w)(const conv_sizes *s, const REAL *x, const REAL *dout, REAL *dw, REAL *db)
{
    const long K = s->C * s->HH * s->WW, S = s->stride, P = s->H_out * s->W_out;
    const long width = (s->F + 2 * LANES - 1) / (2 * LANES) * 2 * LANES;
    NAME(split_image) image = {NULL, S, s->H_out + (s->HH - 1) / S, s->W_out + (s->WW - 1) / S};
    void *owners[3] = {NULL, NULL, NULL};
    ptrdiff_t *taps = malloc(K * sizeof *taps);
    image.pixels = new_zeros((s->C * S * S * image.rows * image.pitch + 2 * LANES) * sizeof(REAL), &owners[0]);
    REAL *turned = new_zeros(P * width * sizeof(REAL), &owners[1]);
    REAL *sums = new_zeros(K * width * sizeof(REAL), &owners[2]);
    const int short_of_memory = !taps || !image.pixels || !turned || !sums;
    if (!short_of_memory) {
        long k = 0;
        for (long c = 0; c < s->C; c++)
            for (long h = 0; h < s->HH; h++)
                for (long v = 0; v < s->WW; v++) taps[k++] = NAME(tap)(image, c, h, v);
        memset(db, 0, s->F * sizeof(REAL));
        for (long n = 0; n < s->N; n++) {
            NAME(split)(image, x + n * s->C * s->H * s->W, s->C, s->H, s->W, s->pad, s->pad);
            NAME(turn)(dout + n * s->F * P, s->F, P, turned, width, db);
            NAME(outer)(image.pixels, image.pitch, taps, K, turned, width, s->H_out, s->W_out, sums);
        }
        for (long f = 0; f < s->F; f++)
            for (k = 0; k < K; k++) dw[f * K + k] = sums[k * width + f];
    }
    free(taps);
    free(owners[0]);
    free(owners[1]);
    free(owners[2]);
    return short_of_memory ? -1 : 0;
}

/* dw and db are those of these images. dx may be NULL: it is then left out. 0, or -1 when memory is short. */
TARGET static int NAME(conv_backward)(const conv_sizes *s, const REAL *x, const REAL *w, const REAL *dout, REAL *dx, REAL *dw,
                                 REAL *db)
{
    if (dx && NAME(backward_x)(s, w, dout, dx)) return -1;
    return NAME(backward_w)(s, x, dout, dw, db);
}
