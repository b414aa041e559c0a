/*
 * winograd_loops.h - the loops of winograd_f32.c and winograd_bf16.c, which say before they include
 * it what a value, channels and factors are, and how they are read, multiplied and written.
 *
 * A thread takes some ROWS x n tiles of 4 x 4 pixels (2 x 2 outputs each), transforms them into
 * V[16, tiles, C], and for 32 output channels after the other multiplies each of the 16
 * V[f] (tiles, C) with U[f] (C, 32) and transforms the 16 products back. V stays in its second
 * level cache; U is read once for each such group of tiles.
 */
#ifndef UN_TENSOR_WINOGRAD_LOOPS_H
#define UN_TENSOR_WINOGRAD_LOOPS_H

enum {
    WIDTH = 64 / sizeof(value), /* values of a register */
    STEP = 4 / sizeof(value),   /* channels that one multiplication takes */
    AHEAD = 32 * WIDTH          /* values of U to fetch ahead: beyond a panel lies the next one */
};

#define INLINE __attribute__((always_inline)) static inline

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

/* Where a tile lies; rows and columns may reach over the edge. */
typedef struct {
    size_t image;
    ptrdiff_t y, x; /* of the first output */
} place;

static place tile_place(const un_winograd_job *j, size_t tile) {
    size_t area = j->tiles_h * j->tiles_w, in_image = tile % area;
    return (place){tile / area, (ptrdiff_t)(in_image / j->tiles_w) * 2,
                   (ptrdiff_t)(in_image % j->tiles_w) * 2};
}

/* Goes to the next tile; whether that begins a row. */
static inline size_t next_tile(const un_winograd_job *j, place *at) {
    at->x += 2;
    if (at->x < (ptrdiff_t)j->w) return 0;
    at->x = 0;
    at->y += 2;
    if (at->y < (ptrdiff_t)j->h) return 1;
    at->y = 0;
    at->image++;
    return 1;
}

static inline channels add(channels a, channels b) {
    return (channels){_mm512_add_ps(a.a, b.a), _mm512_add_ps(a.b, b.b)};
}

static inline channels subtract(channels a, channels b) {
    return (channels){_mm512_sub_ps(a.a, b.a), _mm512_sub_ps(a.b, b.b)};
}

/* B^T of one column of the tile at `at`; image: GROUP channels of its picture. */
INLINE void transform_column(const un_winograd_job *j, const value *image, place at,
                             ptrdiff_t column, channels out[4]) {
    const channels none = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    ptrdiff_t x = at.x - 1 + column, height = x >= 0 && x < (ptrdiff_t)j->w ? (ptrdiff_t)j->h : 0;
    channels d[4];
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) {
        ptrdiff_t y = at.y - 1 + i, pixel = y * (ptrdiff_t)j->w + x;
        int inside = y >= 0 && y < height;
        d[i] = inside ? load_channels(image + (size_t)pixel * j->pixel, j->block) : none;
    }
    out[0] = subtract(d[0], d[2]);
    out[1] = add(d[1], d[2]);
    out[2] = subtract(d[2], d[1]);
    out[3] = subtract(d[1], d[3]);
}

/* B^T d B of `tiles` tiles from `first` on and GROUP channels from c on into V[f][tile]. The last
 * two columns of a tile are the first two of the next one in its row. */
static void transform_input(const un_winograd_job *j, size_t first, size_t tiles, size_t c,
                            value *v) {
    size_t step = tiles * j->row;
    place at = tile_place(j, first);
    channels left[2][4], right[2][4];
    v += c;
    for (size_t t = 0, begins = 1; t < tiles; t++, v += j->row) {
        const value *image = (const value *)j->x + at.image * j->image + c / LANES * j->block;
        if (begins) {
            transform_column(j, image, at, 0, left[0]);
            transform_column(j, image, at, 1, left[1]);
        }
        transform_column(j, image, at, 2, right[0]);
        transform_column(j, image, at, 3, right[1]);
        UNROLL for (size_t i = 0; i < 4; i++) {
            value *to = v + 4 * i * step;
            store_channels(to, subtract(left[0][i], right[0][i]));
            store_channels(to + step, add(left[1][i], right[0][i]));
            store_channels(to + 2 * step, subtract(right[0][i], left[1][i]));
            store_channels(to + 3 * step, subtract(left[1][i], right[1][i]));
            left[0][i] = right[0][i];
            left[1][i] = right[1][i];
        }
        begins = next_tile(j, &at);
    }
}

/* m (n, 32) = v (n, C) u (C, 32); n is a constant where this is called. */
INLINE void multiply_rows(const int n, const value *v, size_t row, const value *u, size_t depth,
                          float *m) {
    __m512 sum[ROWS][2];
    for (int r = 0; r < n; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (size_t c = 0; c < depth; c += STEP, u += 2 * WIDTH) {
        factors left = load_factors(u), right = load_factors(u + WIDTH);
        _mm_prefetch((const char *)((uintptr_t)u + AHEAD * sizeof *u), _MM_HINT_T0);
        _mm_prefetch((const char *)((uintptr_t)u + (AHEAD + WIDTH) * sizeof *u), _MM_HINT_T0);
        for (int r = 0; r < n; r++) {
            factors both = repeat_factor(v + (size_t)r * row + c);
            sum[r][0] = add_product(sum[r][0], left, both);
            sum[r][1] = add_product(sum[r][1], right, both);
        }
    }
    for (int r = 0; r < n; r++) {
        _mm512_storeu_ps(m + r * COLUMNS, sum[r][0]);
        _mm512_storeu_ps(m + r * COLUMNS + LANES, sum[r][1]);
    }
}

/* Any number of rows, in equal parts of at most ROWS. */
static void multiply(size_t rows, const value *v, size_t row, const value *u, size_t depth,
                     float *m) {
    size_t parts = (rows + ROWS - 1) / ROWS;
    for (; parts > 0; parts--) {
        size_t n = (rows + parts - 1) / parts;
        switch (n) {
#define CASE(count)                                                                                \
    case count: multiply_rows(count, v, row, u, depth, m); break
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
            CASE(7);
            CASE(8);
            CASE(9);
            CASE(10);
            CASE(11);
            CASE(12);
            CASE(13);
#undef CASE
        default: multiply_rows(ROWS, v, row, u, depth, m);
        }
        rows -= n;
        v += n * row;
        m += n * COLUMNS;
    }
}

static inline __m512 activate(un_conv_activation activation, __m512 x) {
    if (activation != UN_CONV_LINEAR) x = _mm512_max_ps(x, _mm512_setzero_ps());
    if (activation == UN_CONV_RELU6) x = _mm512_min_ps(x, _mm512_set1_ps(6));
    return x;
}

/* A^T m A + bias of one tile and 16 channels, and what was there; m[f * step]. */
static void transform_output(const un_winograd_job *j, place at, const float *m, size_t step,
                             size_t channel) {
    const un_conv_spec *s = &j->winograd->spec;
    __m512 bias = _mm512_loadu_ps(j->winograd->bias + channel), t[2][4], o[2][2];
    value *y = (value *)j->y + at.image * j->out_image + channel / LANES * j->out_block;
    for (size_t i = 0; i < 4; i++) {
        __m512 a[4];
        for (size_t k = 0; k < 4; k++) a[k] = _mm512_loadu_ps(m + (4 * k + i) * step);
        t[0][i] = _mm512_add_ps(_mm512_add_ps(a[0], a[1]), a[2]);
        t[1][i] = _mm512_sub_ps(_mm512_sub_ps(a[1], a[2]), a[3]);
    }
    for (int i = 0; i < 2; i++) {
        o[i][0] = _mm512_add_ps(_mm512_add_ps(t[i][0], t[i][1]), t[i][2]);
        o[i][1] = _mm512_sub_ps(_mm512_sub_ps(t[i][1], t[i][2]), t[i][3]);
    }
    for (size_t i = 0; i < 4; i++) {
        size_t row = (size_t)at.y + i / 2, column = (size_t)at.x + i % 2;
        if (row >= j->h || column >= j->w) continue;
        value *to = y + (row * j->w + column) * j->out_pixel;
        __m512 sum = _mm512_add_ps(o[i / 2][i % 2], bias);
        if (j->add) sum = _mm512_add_ps(sum, load_lanes(to));
        store_lanes(to, activate(s->activation, sum));
    }
}

/* See winograd.h. */
static void run_group(const un_winograd_job *j, size_t first, size_t tiles, value *v, float *m) {
    const un_conv_spec *s = &j->winograd->spec;
    size_t panel = s->in * COLUMNS, step = tiles * COLUMNS;
    const value *u = j->winograd->filters;
    for (size_t c = 0; c < s->in; c += GROUP) transform_input(j, first, tiles, c, v);
    for (size_t o = 0; o < s->out; o += COLUMNS) {
        for (size_t f = 0; f < POINTS; f++, u += panel)
            multiply(tiles, v + f * tiles * j->row, j->row, u, s->in, m + f * step);
        place at = tile_place(j, first);
        for (size_t t = 0; t < tiles; t++, next_tile(j, &at))
            for (size_t c = 0; c < COLUMNS; c += LANES)
                transform_output(j, at, m + t * COLUMNS + c, step, o + c);
    }
}

#endif
