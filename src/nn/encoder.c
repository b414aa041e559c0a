/* encoder.c - a stack of blocks over one batch; see transformer.h. */
#include "nn/transformer.h"

un_status un_encoder_pass_create(un_encoder_pass *pass, const un_encoder *encoder, un_dtype type,
                                 int training, int recompute) {
    *pass = (un_encoder_pass){
        .encoder = encoder, .type = type, .training = training, .recompute = recompute};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->x, &pass->x));
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->state, &pass->state));
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->probabilities,
                         &pass->probabilities));
done:
    if (status) un_encoder_pass_free(pass);
    return status;
}

void un_encoder_pass_free(un_encoder_pass *pass) {
    un_arena_free(&pass->rows_arena);
    un_arena_free(&pass->arena);
    *pass = (un_encoder_pass){0};
}

/* How many blocks, the last ones, keep all of their activations. */
static size_t blocks_kept(const un_encoder_pass *pass, size_t rows) {
    const un_encoder *e = pass->encoder;
    if (!pass->training) return 0;
    if (!pass->recompute) return e->layers;
    size_t bytes = un_block_state_bytes(&e->block[0].config, pass->type, rows, 0);
    /* One more state serves the others in turn. */
    size_t states = bytes > 0 ? pass->budget / bytes : 0;
    if (states >= e->layers) return e->layers;
    return states > 0 ? states - 1 : 0;
}

static un_status allocate(un_encoder_pass *pass, size_t rows) {
    const un_encoder *e = pass->encoder;
    un_arena *a = &pass->rows_arena;
    if (e->layers == 0) return un_fail(UNSEEN_E_ARGUMENT, "an encoder without layers");
    const un_block_config *config = &e->block[0].config;
    for (size_t l = 0; l <= e->layers; l++) {
        if (l > 0 && !pass->training)
            pass->x[l] = pass->x[0];
        else
            UN_TRY(un_arena_alloc(a, rows * config->width, sizeof(float), &pass->x[l]));
    }
    pass->kept = blocks_kept(pass, rows);
    size_t states = pass->kept < e->layers ? pass->kept + 1 : e->layers;
    for (size_t l = 0; l < states; l++)
        UN_TRY(
            un_block_state_create(config, pass->type, rows, 0, pass->training, a, &pass->state[l]));
    if (pass->training)
        UN_TRY(un_block_scratch_create(config, pass->type, rows, 0, a, &pass->scratch));
    pass->rows = rows;
    return UNSEEN_OK;
}

un_status un_encoder_pass_reserve(un_encoder_pass *pass, size_t rows) {
    if (rows <= pass->rows) return UNSEEN_OK;
    un_arena_free(&pass->rows_arena);
    pass->rows = 0;
    return allocate(pass, rows);
}

static int is_kept(const un_encoder_pass *pass, size_t layer) {
    return layer >= pass->encoder->layers - pass->kept;
}

static un_block_state *state_of(un_encoder_pass *pass, size_t layer) {
    size_t first = pass->encoder->layers - pass->kept;
    un_block_state *state = &pass->state[is_kept(pass, layer) ? layer - first : pass->kept];
    state->probabilities = pass->probabilities[layer];
    return state;
}

un_status un_encoder_forward(un_encoder_pass *pass, const un_pass_context *context) {
    const un_encoder *e = pass->encoder;
    if (un_sequence_rows(&context->sequences) > pass->rows || context->type != pass->type)
        return un_fail(UNSEEN_E_ARGUMENT, "the encoder's pass was not made for this batch");
    if (!pass->training && (context->dropout.hidden > 0 || context->dropout.attention > 0))
        return un_fail(UNSEEN_E_ARGUMENT, "dropout belongs to training");
    for (size_t l = 0; l < e->layers; l++)
        UN_TRY(un_block_forward(&e->block[l], context, e->site, l, pass->x[l], state_of(pass, l),
                                pass->x[l + 1]));
    return UNSEEN_OK;
}

un_status un_encoder_backward(un_encoder_pass *pass, const un_pass_context *context, float *d) {
    const un_encoder *e = pass->encoder;
    if (!pass->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    for (size_t l = e->layers; l-- > 0;) {
        un_block_state *state = state_of(pass, l);
        state->probabilities = NULL; /* given by the forward pass already */
        if (!is_kept(pass, l))
            UN_TRY(un_block_forward(&e->block[l], context, e->site, l, pass->x[l], state, NULL));
        UN_TRY(un_block_backward(&e->block[l], context, e->site, l, pass->x[l], state,
                                 &pass->scratch, d));
    }
    return UNSEEN_OK;
}
