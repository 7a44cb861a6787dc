// What shape.py and steps.py describe: weights, rows and tokens, by their addresses.
#pragma once

#include <cstdint>

extern "C" {

// Integers are int64_t and numbers double, so that nothing depends on how a struct is filled up.
struct Linear {
    const void *weight;    // [blocks][inputs][block] float32, or [blocks][inputs / 4][block][4] int8
    const float *scales;   // one an output, for int8; or null
    const int32_t *sums;   // of each output's int8 weights; or null
    const float *bias;     // or null
    int64_t inputs, outputs, block;  // no block: no layer
};

struct Layer {
    Linear query_key_value[3], output, gate_up[2], down;
    const float *attention_norm, *inner_norm, *query_norm, *key_norm;  // the last two or null
};

struct Model {
    const Layer *layers;
    const float *embedding, *norm;
    const double *inv_freq;
    Linear head;
    int64_t num_layers, hidden, inner, num_heads, num_kv_heads, head_dim, rotary_width;
    double epsilon, scaling, rotary_scale;
};

struct Rows {
    void *const *keys, *const *values;  // of each layer: (rows, KV, slots, D)
    int64_t num_slots, are_halves;
};

struct Token {
    int64_t id, row, slot, num_slots, num_sinks;
    int64_t position, place;  // what recent tokens and sinks are looked at from
    int64_t wants_logits;
};
}
