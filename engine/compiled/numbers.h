// Sixteen numbers at a time, for whatever instructions the processor has for them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

template <class T> T load(const void *from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

void store(float *to, Floats value) { std::memcpy(to, &value, sizeof value); }

// Keys and values: float32, or bfloat16 as its bits.
Floats numbers(const float *from) { return load<Floats>(from); }

Floats numbers(const uint16_t *from) {
    Ints wide = __builtin_convertvector(load<Halves>(from), Ints) << 16;
    return load<Floats>(&wide);
}

void keep(float *to, float value) { *to = value; }

void keep(uint16_t *to, float value) {  // rounded to the nearest, halfway to even
    uint32_t bits = load<uint32_t>(&value);
    *to = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float sum(Floats value) {
    float total = 0;
    for (int lane = 0; lane < LANES; ++lane) total += value[lane];
    return total;
}

float largest(Floats value) {
    float most = value[0];
    for (int lane = 1; lane < LANES; ++lane) most = std::max(most, value[lane]);
    return most;
}

// e^x to two units in the last place, and no less or more than e^-87 and e^87; the polynomial is that
// of Cephes' expf.
Floats exponential(Floats x) {
    x = x < -87.0f ? Floats{} - 87.0f : x;
    x = x > 87.0f ? Floats{} + 87.0f : x;
    const float rounding = 12582912.0f;
    Floats power = (x * 1.44269504f + rounding) - rounding;
    Floats rest = x - power * 0.693359375f + power * 2.12194440e-4f;
    Floats y = rest * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * rest + 8.3334519073e-3f;
    y = y * rest + 4.1665795894e-2f;
    y = y * rest + 1.6666665459e-1f;
    y = y * rest + 5.0000001201e-1f;
    y = y * rest * rest + rest + 1.0f;
    Ints bits = (__builtin_convertvector(power, Ints) + 127) << 23;
    return y * load<Floats>(&bits);
}

// To each of 16 sums four products of an unsigned byte and a signed one.
Ints add_products(Ints sums, Ints bytes, Ints weights) {
#if defined(__AVX512VNNI__)
    return (Ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)bytes, (__m512i)weights);
#else
    for (int byte = 0; byte < 4; ++byte) {
        Ints weight = weights << (24 - 8 * byte) >> 24;
        sums += (bytes >> 8 * byte & 255) * weight;
    }
    return sums;
#endif
}

}  // namespace
