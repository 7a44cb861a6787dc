// Linear layers of few tokens, each thread its share of the outputs.
#pragma once

#include <limits>
#include <vector>

#include "model.h"
#include "numbers.h"

namespace {

using Buffer = std::vector<float>;

// Tokens that share a look at the weights: as many as registers hold the sums of.
#if defined(__AVX512F__)
constexpr int TOGETHER = 4;
#else
constexpr int TOGETHER = 1;
#endif
// As int8_linear.py rounds: 16 bits, two bytes that stand 128 above their worth.
constexpr float LARGEST_CODE = 127 * 256, SHIFT = 8388608.0f + 128 * 256 + 128;
constexpr int ZERO = 128;

// One of the threads, and what of so many things is its share.
struct Worker {
    int thread, num_threads;

    void share(int64_t total, int64_t &first, int64_t &last) const {
        first = total * thread / num_threads;
        last = total * (thread + 1) / num_threads;
    }
};

// A thread's copies of what linear layers are given, and the inputs' codes: [B][two bytes][inputs].
struct Given {
    Buffer inputs, steps, scores;
    std::vector<uint8_t> codes;
};

template <int VECTORS, int TOKENS>
void float_block(const float *weight, int64_t num_inputs, const float *in, Floats (*sums)[4]) {
    Floats total[TOKENS][VECTORS] = {};
    for (int64_t k = 0; k < num_inputs; ++k, weight += VECTORS * LANES)
        for (int v = 0; v < VECTORS; ++v) {
            Floats column = load<Floats>(weight + v * LANES);
            for (int t = 0; t < TOKENS; ++t) total[t][v] += column * in[t * num_inputs + k];
        }
    for (int t = 0; t < TOKENS; ++t) std::memcpy(sums[t], total[t], sizeof total[t]);
}

template <int VECTORS>
void int8_block(const int8_t *weight, int64_t num_inputs, const uint8_t *codes, Ints (*sums)[4]) {
    Ints total[2][VECTORS] = {};
    for (int64_t k = 0; k < num_inputs; k += 4, weight += 4 * VECTORS * LANES)
        for (int v = 0; v < VECTORS; ++v) {
            Ints columns = load<Ints>(weight + 4 * v * LANES);
            for (int byte = 0; byte < 2; ++byte) {
                Ints bytes = Ints{} + load<int32_t>(codes + byte * num_inputs + k);
                total[byte][v] = add_products(total[byte][v], bytes, columns);
            }
        }
    for (int byte = 0; byte < 2; ++byte) std::memcpy(sums[byte], total[byte], sizeof total[byte]);
}

template <int TOKENS>
void float_block(const Linear &linear, int64_t block, const float *in, Floats (*sums)[4]) {
    auto weight = (const float *)linear.weight + block * linear.block * linear.inputs;
    if (linear.block == 64) return float_block<4, TOKENS>(weight, linear.inputs, in, sums);
    if (linear.block == 48) return float_block<3, TOKENS>(weight, linear.inputs, in, sums);
    if (linear.block == 32) return float_block<2, TOKENS>(weight, linear.inputs, in, sums);
    float_block<1, TOKENS>(weight, linear.inputs, in, sums);
}

void encode(Given &given, int64_t num_inputs) {
    const int64_t count = given.inputs.size() / num_inputs;
    given.steps.resize(count);
    given.codes.resize(count * 2 * num_inputs);
    for (int64_t t = 0; t < count; ++t) {
        const float *in = &given.inputs[t * num_inputs];
        uint8_t *low = &given.codes[t * 2 * num_inputs], *high = low + num_inputs;
        Floats most{};
        for (int64_t k = 0; k < num_inputs; k += LANES) {
            Floats some = load<Floats>(in + k), size = some < 0.0f ? -some : some;
            most = size > most ? size : most;
        }
        float step = largest(most) / LARGEST_CODE + std::numeric_limits<float>::denorm_min();
        given.steps[t] = step;
        for (int64_t k = 0; k < num_inputs; ++k) {
            float shifted = in[k] / step + SHIFT;
            uint32_t code = load<uint32_t>(&shifted);
            low[k] = code;
            high[k] = code >> 8;
        }
    }
}

int64_t num_blocks(const Linear &linear) {
    return linear.block ? (linear.outputs + linear.block - 1) / linear.block : 0;
}

void put(const Linear &linear, int64_t block, const float *sums, float *out, bool adds) {
    int64_t first = block * linear.block, last = std::min(first + linear.block, linear.outputs);
    for (int64_t n = first; n < last; ++n) {
        float value = sums[n - first] + (linear.bias ? linear.bias[n] : 0);
        out[n] = adds ? out[n] + value : value;
    }
}

void int8_sums(const Given &given, const Linear &linear, int64_t block, int t,
               Floats *sums) {
    Ints bytes[2][4];
    auto weight = (const int8_t *)linear.weight + block * linear.block * linear.inputs;
    int8_block<4>(weight, linear.inputs, &given.codes[t * 2 * linear.inputs], bytes);
    for (int v = 0; v < 4; ++v) {
        int64_t at = block * 64 + v * LANES;
        Ints nothing = load<Ints>(linear.sums + at) * ZERO;
        Floats low = __builtin_convertvector(bytes[0][v] - nothing, Floats);
        Floats high = __builtin_convertvector(bytes[1][v] - nothing, Floats);
        sums[v] = (low + high * 256.0f) * given.steps[t] * load<Floats>(linear.scales + at);
    }
}

void multiply_block(const Given &given, const Linear &linear, int64_t block, float *out,
                    int64_t stride, bool adds) {
    Floats sums[TOGETHER][4];
    const int64_t count = given.inputs.size() / linear.inputs;
    for (int64_t t = 0; t < count;) {
        int together = 1;
        if (linear.scales) {
            int8_sums(given, linear, block, t, sums[0]);
        } else if (count - t >= TOGETHER) {
            together = TOGETHER;
            float_block<TOGETHER>(linear, block, &given.inputs[t * linear.inputs], sums);
        } else {
            float_block<1>(linear, block, &given.inputs[t * linear.inputs], sums);
        }
        for (int other = 0; other < together; ++other, ++t)
            put(linear, block, (const float *)sums[other], out + t * stride, adds);
    }
}

// This thread's blocks of layers that are given the same: their outputs lie side by side, (tokens,
// stride), and are added to what is there or take its place.
void multiply(Worker worker, Given &given, const Linear *linears, int num_linears, float *out,
              int64_t stride, bool adds = false) {
    if (linears->scales) encode(given, linears->inputs);
    int64_t total = 0, first, last;
    for (int i = 0; i < num_linears; ++i) total += num_blocks(linears[i]);
    worker.share(total, first, last);
    for (int i = 0; i < num_linears; ++i) {
        int64_t end = std::min(last, num_blocks(linears[i]));
        for (int64_t block = std::max<int64_t>(first, 0); block < end; ++block)
            multiply_block(given, linears[i], block, out, stride, adds);
        first -= num_blocks(linears[i]);
        last -= num_blocks(linears[i]);
        out += linears[i].outputs;
    }
}

}  // namespace
