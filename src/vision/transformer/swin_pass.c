/* swin_pass.c - the Swin transformer over one batch, forward and backward; see swin.h. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/kernels.h"
#include "vision/transformer/swin.h"

static const char SITE[] = "swin";

un_status un_swin_pass_create(un_swin_pass *pass, const un_swin *swin, un_dtype type, int training,
                              int recompute) {
    *pass =
        (un_swin_pass){.swin = swin, .type = type, .training = training, .recompute = recompute};
    return UNSEEN_OK;
}

void un_swin_pass_free(un_swin_pass *pass) {
    un_arena_free(&pass->arena);
    un_arena_free(&pass->lists);
    *pass = (un_swin_pass){0};
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

/* ---- memory ---- */

/* Rows of n pictures in a stage, as they are and in windows. */
static void count_rows(const un_swin_config *c, size_t n, size_t size, size_t stage, size_t *rows,
                       size_t *windowed) {
    size_t side = un_swin_side(c, size, stage);
    size_t padded = un_windows_padded(side, un_swin_window(c, stage, side));
    *rows = n * side * side;
    *windowed = n * padded * padded;
}

/* Buffers of a block that any stage's block fits into: as if all were as wide as the first. */
static un_block_config widest(const un_swin_config *c, size_t n, size_t size, size_t *rows,
                              size_t *windowed) {
    un_block_config block = {.width = c->width, .inner = c->inner, .pre_norm = 1, .eps = c->eps};
    size_t sums = 0;
    *rows = *windowed = 0;
    for (size_t s = 0; s < c->stages; s++) {
        size_t here = 0, in_windows = 0;
        count_rows(c, n, size, s, &here, &in_windows);
        *rows = most(*rows, here << s);
        *windowed = most(*windowed, in_windows << s);
        sums = most(sums, in_windows * c->heads[s]);
    }
    block.heads = divide_up(sums, *windowed);
    return block;
}

/* How many blocks of each stage keep their activations; one more state, of `shared` bytes, serves
 * the others. */
static void plan_kept(un_swin_pass *pass, size_t n, size_t size, size_t shared) {
    const un_swin_config *c = &pass->swin->config;
    size_t bytes[UN_SWIN_STAGES] = {0}, all = 0, left = pass->recompute ? pass->budget : SIZE_MAX;
    for (size_t s = 0; s < c->stages; s++) {
        size_t rows = 0, windowed = 0;
        count_rows(c, n, size, s, &rows, &windowed);
        bytes[s] =
            un_block_state_bytes(&pass->swin->stage[s].block[0].config, pass->type, rows, windowed);
        all += c->depth[s] * bytes[s];
    }
    if (!pass->training) left = 0;
    if (all > left) left = left > shared ? left - shared : 0;
    for (size_t s = c->stages; s-- > 0;) {
        size_t fit = bytes[s] > 0 ? left / bytes[s] : 0;
        pass->map[s].kept = fit < c->depth[s] ? fit : c->depth[s];
        left = fit < c->depth[s] ? 0 : left - c->depth[s] * bytes[s];
    }
}

static int keeps_all(const un_swin_pass *pass) {
    const un_swin_config *c = &pass->swin->config;
    for (size_t s = 0; s < c->stages; s++)
        if (pass->map[s].kept < c->depth[s]) return 0;
    return 1;
}

static un_status reserve_stage(un_swin_pass *pass, size_t n, size_t size, size_t s) {
    const un_swin_config *c = &pass->swin->config;
    const un_swin_stage *stage = &pass->swin->stage[s];
    un_swin_map *map = &pass->map[s];
    un_arena *a = &pass->arena;
    size_t rows = 0, windowed = 0, depth = c->depth[s];
    count_rows(c, n, size, s, &rows, &windowed);
    map->state = NULL;
    UN_TRY(un_arena_alloc(a, depth + 1, sizeof *map->x, &map->x));
    for (size_t b = 0; b <= depth; b++)
        if (b > 0 && !pass->training)
            map->x[b] = map->x[0];
        else
            UN_TRY(un_arena_alloc(a, rows * stage->width, sizeof(float), &map->x[b]));
    UN_TRY(un_arena_alloc(a, map->kept, sizeof *map->state, &map->state));
    for (size_t b = 0; b < map->kept; b++)
        UN_TRY(un_block_state_create(&stage->block[b].config, pass->type, rows, windowed, 1, a,
                                     &map->state[b]));
    return UNSEEN_OK;
}

/* What belongs to no stage, for `rows` rows as wide as the first stage's. */
static un_status reserve_shared(un_swin_pass *pass, size_t n, size_t size, size_t rows) {
    const un_swin_config *c = &pass->swin->config;
    un_arena *a = &pass->arena;
    size_t side = un_swin_side(c, size, 0), first = n * side * side, C = c->width,
           f = sizeof(float);
    size_t g = un_swin_side(c, size, c->stages - 1), last = n * g * g, H = un_swin_width(c);
    size_t biases = 0, merged = 0, merged_rows = 0, o = un_dtype_size(pass->type);
    for (size_t s = 0; s < c->stages; s++) {
        size_t h = un_swin_side(c, size, s), w = un_swin_window(c, s, h);
        biases = most(biases, c->heads[s] * w * w * w * w);
        size_t half = un_swin_side(c, size, s + 1);
        if (s + 1 == c->stages) break;
        merged_rows = most(merged_rows, n * half * half);
        merged = most(merged, n * half * half * 4 * (C << s));
    }
    UN_TRY(un_arena_alloc(a, first * pass->swin->patches.in, o, &pass->patches));
    UN_TRY(un_arena_alloc(a, first * C, f, &pass->projected));
    UN_TRY(un_arena_alloc(a, merged, f, &pass->merged));
    UN_TRY(un_arena_alloc(a, merged, o, &pass->merged_operand));
    UN_TRY(un_arena_alloc(a, biases, f, &pass->bias));
    UN_TRY(un_arena_alloc(a, last * H, f, &pass->normal));
    UN_TRY(un_arena_alloc(a, (last + n) * H, f, &pass->states));
    if (!pass->training) return UNSEEN_OK;
    const struct {
        un_norm_state *state;
        size_t rows;
    } norms[] = {{&pass->patch_norm, first}, {&pass->merge_norm, merged_rows}, {&pass->norm, last}};
    for (size_t i = 0; i < 3; i++) {
        UN_TRY(un_arena_alloc(a, norms[i].rows, f, &norms[i].state->mean));
        UN_TRY(un_arena_alloc(a, norms[i].rows, f, &norms[i].state->inverse));
    }
    size_t room = most(rows * C, merged);
    UN_TRY(un_arena_alloc(a, biases, f, &pass->dbias));
    UN_TRY(un_arena_alloc(a, n, f, &pass->drop_path));
    UN_TRY(un_arena_alloc(a, room, f, &pass->d));
    UN_TRY(un_arena_alloc(a, room, f, &pass->other));
    return pass->type == UN_BF16 ? un_arena_alloc(a, room, sizeof(un_bf16), &pass->d16) : UNSEEN_OK;
}

static un_status reserve_buffers(un_swin_pass *pass, size_t n, size_t size) {
    const un_swin_config *c = &pass->swin->config;
    size_t rows = 0, windowed = 0;
    un_arena_free(&pass->arena);
    pass->room = 0;
    const un_block_config block = widest(c, n, size, &rows, &windowed);
    plan_kept(pass, n, size, un_block_state_bytes(&block, pass->type, rows, windowed));
    for (size_t s = 0; s < c->stages; s++) UN_TRY(reserve_stage(pass, n, size, s));
    UN_TRY(reserve_shared(pass, n, size, rows));
    if (!keeps_all(pass))
        UN_TRY(un_block_state_create(&block, pass->type, rows, windowed, pass->training,
                                     &pass->arena, &pass->state));
    if (pass->training)
        UN_TRY(un_block_scratch_create(&block, pass->type, rows, windowed, &pass->arena,
                                       &pass->scratch));
    pass->room = n;
    return UNSEEN_OK;
}

/* The windows of every stage. A map that is one window is not shifted. */
static un_status lay_windows(un_swin_pass *pass, size_t n, size_t size) {
    const un_swin_config *c = &pass->swin->config;
    un_arena_free(&pass->lists);
    for (size_t s = 0; s < c->stages; s++) {
        un_swin_map *map = &pass->map[s];
        size_t side = un_swin_side(c, size, s), window = un_swin_window(c, s, side);
        size_t shift = side <= window ? 0 : window / 2;
        map->side = side;
        map->window = window;
        map->start[1] = n * side * side;
        for (size_t k = 0; k < 2; k++)
            UN_TRY(un_windows_make(&pass->lists, n, side, window, k ? shift : 0, &map->windows[k]));
    }
    return UNSEEN_OK;
}

/* Room for n pictures of `size`, and their windows. */
static un_status reserve(un_swin_pass *pass, size_t n, size_t size) {
    size_t grid = 0;
    UN_TRY(un_swin_grid(pass->swin, size, &grid));
    if (n == pass->pictures && size == pass->size) return UNSEEN_OK;
    size_t before = pass->size;
    pass->pictures = 0;
    pass->size = size;
    if (n > pass->room || size != before) UN_TRY(reserve_buffers(pass, n, size));
    UN_TRY(lay_windows(pass, n, size));
    pass->pictures = n;
    return UNSEEN_OK;
}

/* ---- patches ---- */

typedef struct {
    const un_swin_pass *pass;
    const float *pictures;
    float *dpictures;
    const float *dpatches;
    size_t side; /* patches a side */
} patch_job;

/* One row of patches of a picture: pixels (P, S, 3) and patches (side, 3, P, P), 0 beyond S. */
static void gather_patches(const patch_job *j, size_t picture, size_t row) {
    size_t P = j->pass->swin->config.patch, S = j->pass->size, K = 3 * P * P;
    const float *pixels = j->pictures + picture * S * S * 3;
    size_t first = (picture * j->side + row) * j->side * K;
    int bf16 = j->pass->type == UN_BF16;
    for (size_t at = 0; at < j->side * 3 * P; at++) { /* one line of a colour of a patch */
        size_t x = at / (3 * P) * P, colour = at / P % 3, y = row * P + at % P;
        float *out = (float *)j->pass->patches + first + at * P;
        un_bf16 *out16 = (un_bf16 *)j->pass->patches + first + at * P;
        for (size_t dx = 0; dx < P; dx++) {
            float value = y < S && x + dx < S ? pixels[(y * S + x + dx) * 3 + colour] : 0;
            if (bf16)
                out16[dx] = un_bf16_from_float(value);
            else
                out[dx] = value;
        }
    }
}

static void gather_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    for (size_t i = begin; i < end; i++) gather_patches(j, i / j->side, i % j->side);
}

/* One line of pixels from the gradients of its patches. */
static void scatter_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    size_t P = j->pass->swin->config.patch, S = j->pass->size, K = 3 * P * P;
    for (size_t line = begin; line < end; line++) {
        size_t y = line % S;
        const float *row = j->dpatches + (line / S * j->side + y / P) * j->side * K;
        for (size_t i = 0; i < S * 3; i++)
            j->dpictures[line * S * 3 + i] =
                row[i / 3 / P * K + (i % 3 * P + y % P) * P + i / 3 % P];
    }
}

static un_status embed(un_swin_pass *pass, const float *pictures) {
    const un_swin *swin = pass->swin;
    un_swin_map *map = &pass->map[0];
    size_t rows = map->start[1];
    patch_job job = {.pass = pass, .pictures = pictures, .side = map->side};
    un_parallel_for(pass->pictures * map->side, 1, gather_range, &job);
    UN_TRY(un_dense_forward(&swin->patches, pass->params, pass->type, pass->patches, rows,
                            UN_DENSE_PLAIN, pass->projected, 0, UN_F32));
    un_norm_forward(&swin->patch_norm, pass->params, pass->projected, rows, map->x[0], NULL,
                    pass->training ? &pass->patch_norm : NULL);
    return UNSEEN_OK;
}

/* From the gradient of x[0], pass->d, to projection and pictures. */
static un_status embed_backward(un_swin_pass *pass, float *dpictures) {
    const un_swin *swin = pass->swin;
    const un_swin_map *map = &pass->map[0];
    size_t rows = map->start[1], C = swin->config.width;
    float *dpatches = NULL;
    un_norm_backward(&swin->patch_norm, pass->params, pass->projected, rows, &pass->patch_norm,
                     pass->d, pass->d, 0);
    if (pass->d16) un_convert_to_bf16(pass->d, pass->d16, rows * C);
    if (dpictures) UN_TRY(un_alloc(rows * swin->patches.in, sizeof *dpatches, &dpatches));
    const un_dense_gradient g = {
        .x = pass->patches, .dy = pass->d, .dy16 = pass->d16, .rows = rows, .dx = dpatches};
    un_status status = un_dense_backward(&swin->patches, pass->params, pass->type, &g);
    patch_job job = {.pass = pass, .dpictures = dpictures, .dpatches = dpatches, .side = map->side};
    if (!status && dpictures) un_parallel_for(pass->pictures * pass->size, 1, scatter_range, &job);
    free(dpatches);
    return status;
}

/* ---- merging four tokens into one ---- */

typedef struct {
    const float *in;
    float *out;
    size_t side, half, width;
} merge_job;

/* Row `i` of the merged map: its four tokens, column by column, zeros beyond the edge. */
static void merge_range(size_t begin, size_t end, void *context) {
    const merge_job *j = context;
    size_t C = j->width;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < 4; k++) {
            size_t y = i / j->half % j->half * 2 + k % 2, x = i % j->half * 2 + k / 2;
            size_t map = i / (j->half * j->half);
            float *to = j->out + (4 * i + k) * C;
            if (y < j->side && x < j->side)
                memcpy(to, j->in + ((map * j->side + y) * j->side + x) * C, C * sizeof *to);
            else
                memset(to, 0, C * sizeof *to);
        }
}

/* And back: token `i` of the map before. */
static void split_range(size_t begin, size_t end, void *context) {
    const merge_job *j = context;
    size_t C = j->width;
    for (size_t i = begin; i < end; i++) {
        size_t y = i / j->side % j->side, x = i % j->side, map = i / (j->side * j->side);
        size_t row = (map * j->half + y / 2) * j->half + x / 2;
        memcpy(j->out + i * C, j->in + (4 * row + x % 2 * 2 + y % 2) * C, C * sizeof *j->out);
    }
}

/* The normalised operand of the reduction behind stage s, and what it is made from. */
static void merge(un_swin_pass *pass, size_t s) {
    const un_swin_stage *stage = &pass->swin->stage[s];
    const un_swin_map *map = &pass->map[s];
    size_t rows = pass->map[s + 1].start[1];
    merge_job job = {.in = map->x[pass->swin->config.depth[s]],
                     .out = pass->merged,
                     .side = map->side,
                     .half = pass->map[s + 1].side,
                     .width = stage->width};
    int bf16 = pass->type == UN_BF16;
    un_parallel_for(rows, 16, merge_range, &job);
    un_norm_forward(&stage->norm, pass->params, pass->merged, rows,
                    bf16 ? NULL : pass->merged_operand, bf16 ? pass->merged_operand : NULL,
                    pass->training ? &pass->merge_norm : NULL);
}

static un_status merge_forward(un_swin_pass *pass, size_t s) {
    merge(pass, s);
    return un_dense_forward(&pass->swin->stage[s].reduce, pass->params, pass->type,
                            pass->merged_operand, pass->map[s + 1].start[1], UN_DENSE_PLAIN,
                            pass->map[s + 1].x[0], 0, UN_F32);
}

/* pass->d: from the gradient of stage s + 1's input to that of stage s's result. */
static un_status merge_backward(un_swin_pass *pass, size_t s) {
    const un_swin_stage *stage = &pass->swin->stage[s];
    size_t rows = pass->map[s + 1].start[1];
    merge(pass, s); /* again: cheaper than keeping it for every stage */
    if (pass->d16) un_convert_to_bf16(pass->d, pass->d16, rows * stage->reduce.out);
    const un_dense_gradient g = {.x = pass->merged_operand,
                                 .dy = pass->d,
                                 .dy16 = pass->d16,
                                 .rows = rows,
                                 .dx = pass->other};
    UN_TRY(un_dense_backward(&stage->reduce, pass->params, pass->type, &g));
    un_norm_backward(&stage->norm, pass->params, pass->merged, rows, &pass->merge_norm, pass->other,
                     pass->other, 0);
    merge_job job = {.in = pass->other,
                     .out = pass->d,
                     .side = pass->map[s].side,
                     .half = pass->map[s + 1].side,
                     .width = stage->width};
    un_parallel_for(pass->map[s].start[1], 64, split_range, &job);
    return UNSEEN_OK;
}

/* ---- blocks ---- */

/* Blocks in front of block b of stage s. */
static size_t block_number(const un_swin_config *c, size_t s, size_t b) {
    for (size_t k = 0; k < s; k++) b += c->depth[k];
    return b;
}

/* Which pictures block b of stage s leaves out of attention: a function of the source and the
 * place, so that recomputation and backward find it again. 0: there is nothing to leave out. */
static int draw_drop_path(un_swin_pass *pass, size_t s, size_t b) {
    const un_swin_config *c = &pass->swin->config;
    size_t number = block_number(c, s, b), blocks = block_number(c, c->stages, 0);
    if (pass->dropout.path <= 0 || number == 0) return 0;
    double p = (double)pass->dropout.path * (double)number / (double)(blocks - 1);
    un_rng rng = un_rng_stream(pass->dropout.seed, "swin.path", pass->dropout.draw << 16 | number);
    uint64_t drawn = 0;
    for (size_t i = 0; i < pass->pictures; i++) {
        uint64_t picture = un_mask_row(&pass->dropout.rows, i); /* ascending */
        for (; drawn < picture; drawn++) (void)un_rng_uniform(&rng);
        pass->drop_path[i] = un_rng_uniform(&rng) < p ? 0 : (float)(1 / (1 - p));
        drawn++;
    }
    return 1;
}

/* What block b of a stage runs with; lays out its biases. */
static un_pass_context prepare(un_swin_pass *pass, size_t s, size_t b) {
    const un_swin_config *c = &pass->swin->config;
    un_swin_map *map = &pass->map[s];
    un_position_bias(un_param_value(pass->params, pass->swin->stage[s].table[b]), c->window[s],
                     map->window, c->heads[s], pass->bias);
    return (un_pass_context){.params = pass->params,
                             .type = pass->type,
                             .sequences = {1, map->start},
                             .windows = &map->windows[b % 2],
                             .bias = pass->bias,
                             .dbias = pass->dbias,
                             .dropout = pass->dropout,
                             .drop_path = draw_drop_path(pass, s, b) ? pass->drop_path : NULL,
                             .maps = pass->pictures};
}

static int is_kept(const un_swin_pass *pass, size_t s, size_t b) {
    return b + pass->map[s].kept >= pass->swin->config.depth[s];
}

static un_block_state *state_of(un_swin_pass *pass, size_t s, size_t b) {
    un_swin_map *map = &pass->map[s];
    return is_kept(pass, s, b) ? &map->state[b + map->kept - pass->swin->config.depth[s]]
                               : &pass->state;
}

static un_status stage_forward(un_swin_pass *pass, size_t s) {
    un_swin_map *map = &pass->map[s];
    for (size_t b = 0; b < pass->swin->config.depth[s]; b++) {
        const un_pass_context context = prepare(pass, s, b);
        size_t number = block_number(&pass->swin->config, s, b);
        UN_TRY(un_block_forward(&pass->swin->stage[s].block[b], &context, SITE, number, map->x[b],
                                state_of(pass, s, b), map->x[b + 1]));
    }
    return UNSEEN_OK;
}

static un_status stage_backward(un_swin_pass *pass, size_t s) {
    const un_swin_config *c = &pass->swin->config;
    const un_swin_stage *stage = &pass->swin->stage[s];
    un_swin_map *map = &pass->map[s];
    size_t w = map->window, biases = c->heads[s] * w * w * w * w;
    for (size_t b = c->depth[s]; b-- > 0;) {
        const un_pass_context context = prepare(pass, s, b);
        size_t number = block_number(c, s, b);
        un_block_state *state = state_of(pass, s, b);
        if (!is_kept(pass, s, b))
            UN_TRY(
                un_block_forward(&stage->block[b], &context, SITE, number, map->x[b], state, NULL));
        memset(pass->dbias, 0, biases * sizeof *pass->dbias);
        UN_TRY(un_block_backward(&stage->block[b], &context, SITE, number, map->x[b], state,
                                 &pass->scratch, pass->d));
        un_position_bias_backward(pass->dbias, c->window[s], w, c->heads[s],
                                  un_param_grad(pass->params, stage->table[b]));
        UN_TRY(un_params_ready(pass->params, stage->block[b].attention.query.weight));
    }
    return UNSEEN_OK;
}

/* ---- the whole ---- */

/* (n, g^2, H) -> (n, 1 + g^2, H): the mean in front. */
static void pool(const un_swin_pass *pass, size_t tokens, size_t H) {
    for (size_t i = 0; i < pass->pictures; i++) {
        const float *from = pass->normal + i * tokens * H;
        float *to = pass->states + i * (tokens + 1) * H;
        memset(to, 0, H * sizeof *to);
        un_column_sums_add(from, tokens, H, H, to);
        un_scale(1 / (float)tokens, to, H);
        memcpy(to + H, from, tokens * H * sizeof *to);
    }
}

static void pool_backward(const un_swin_pass *pass, const float *dstates, size_t tokens, size_t H) {
    for (size_t i = 0; i < pass->pictures; i++) {
        const float *from = dstates + i * (tokens + 1) * H;
        for (size_t t = 0; t < tokens; t++) {
            float *to = pass->d + (i * tokens + t) * H;
            memcpy(to, from + (t + 1) * H, H * sizeof *to);
            un_axpy(1 / (float)tokens, from, to, H);
        }
    }
}

un_status un_swin_forward(un_swin_pass *pass, const un_params *params, const float *pictures,
                          size_t n, size_t size, const un_dropout_source *dropout,
                          const float **states) {
    const un_swin *swin = pass->swin;
    size_t last = swin->config.stages - 1;
    UN_TRY(reserve(pass, n, size));
    pass->params = params;
    pass->dropout = dropout ? *dropout : (un_dropout_source){0};
    if (!pass->training && dropout)
        return un_fail(UNSEEN_E_ARGUMENT, "dropout belongs to training");
    UN_TRY(embed(pass, pictures));
    for (size_t s = 0; s <= last; s++) {
        UN_TRY(stage_forward(pass, s));
        if (s < last) UN_TRY(merge_forward(pass, s));
    }
    const un_swin_map *map = &pass->map[last];
    un_norm_forward(&swin->norm, params, map->x[swin->config.depth[last]], map->start[1],
                    pass->normal, NULL, pass->training ? &pass->norm : NULL);
    pool(pass, map->side * map->side, un_swin_width(&swin->config));
    *states = pass->states;
    return UNSEEN_OK;
}

un_status un_swin_backward(un_swin_pass *pass, const float *dstates, float *dpictures) {
    const un_swin *swin = pass->swin;
    if (!pass->training || pass->pictures == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "no training pass of the Swin transformer to go back");
    size_t last = swin->config.stages - 1;
    const un_swin_map *map = &pass->map[last];
    pool_backward(pass, dstates, map->side * map->side, un_swin_width(&swin->config));
    un_norm_backward(&swin->norm, pass->params, map->x[swin->config.depth[last]], map->start[1],
                     &pass->norm, pass->d, pass->d, 0);
    for (size_t s = last + 1; s-- > 0;) {
        UN_TRY(stage_backward(pass, s));
        if (s > 0) UN_TRY(merge_backward(pass, s - 1));
    }
    return embed_backward(pass, dpictures);
}
