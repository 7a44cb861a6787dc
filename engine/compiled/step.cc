// A step of few single tokens through a model of the Llama shape, in one call.
//
// Weights are read as oneDNN has arranged them (layout.py knows how), rows as the store keeps them.
// Every thread runs all phases and does its share of each; between phases they wait for each other.
// Letters: B tokens, D numbers of a head.

#include <atomic>
#include <cmath>
#include <thread>

#include "products.h"

namespace {

// Looks at a barrier before a thread lets others have its core: tens of microseconds.
constexpr int SPINS = 1000;
class Barrier {
public:
    explicit Barrier(int num_threads) : num_threads_(num_threads) {}

    void wait() {
        int round = round_.load();
        if (num_waiting_.fetch_add(1) + 1 == num_threads_) {
            num_waiting_.store(0);
            round_.fetch_add(1);
            return;
        }
        for (int look = 0; round_.load() == round; ++look) {
#if defined(__x86_64__)
            if (look < SPINS) {
                _mm_pause();
                continue;
            }
#endif
            std::this_thread::yield();
        }
    }

private:
    const int num_threads_;
    std::atomic<int> num_waiting_{0}, round_{0};
};

class Step {
public:
    Step(const Model &model, const Rows &rows, const Token *tokens, int count, float *logits,
         int num_threads)
        : model_(model), rows_(rows), tokens_(tokens), count_(count), logits_(logits),
          num_threads_(num_threads), barrier_(num_threads), width_((model.num_heads + 2 * model.num_kv_heads) * model.head_dim),
          states_(count * model.hidden), heads_(count * width_),
          answers_(count * model.num_heads * model.head_dim), inner_(count * 2 * model.inner),
          gated_(count * model.inner), angles_(count * 2 * model.rotary_width) {}

    void run() {
        std::vector<std::thread> others;
        for (int thread = 1; thread < num_threads_; ++thread)
            others.emplace_back([this, thread] { run_as({thread, num_threads_}); });
        run_as({0, num_threads_});
        for (auto &other : others) other.join();
    }

private:
    void run_as(Worker worker) {
        Given given;
        if (worker.thread == 0) begin();
        barrier_.wait();
        for (int64_t layer = 0; layer < model_.num_layers; ++layer) {
            const Layer &now = model_.layers[layer];
            normalise(given, now.attention_norm);
            multiply(worker, given, now.query_key_value, 3, heads_.data(), width_);
            barrier_.wait();
            if (rows_.are_halves) attend<uint16_t>(worker, given, layer);
            else attend<float>(worker, given, layer);
            barrier_.wait();
            given.inputs = answers_;
            multiply(worker, given, &now.output, 1, states_.data(), model_.hidden, true);
            barrier_.wait();
            normalise(given, now.inner_norm);
            multiply(worker, given, now.gate_up, 2, inner_.data(), 2 * model_.inner);
            barrier_.wait();
            gate(worker);
            barrier_.wait();
            given.inputs = gated_;
            multiply(worker, given, &now.down, 1, states_.data(), model_.hidden, true);
            barrier_.wait();
        }
        answer(worker, given);
    }

    // What the first layer is given, and cosines and sines: (B, 2, pairs, 2) from both places.
    void begin() {
        for (int t = 0; t < count_; ++t) {
            const float *embedding = model_.embedding + tokens_[t].id * model_.hidden;
            std::copy_n(embedding, model_.hidden, &states_[t * model_.hidden]);
            float *angle = &angles_[t * 2 * model_.rotary_width];
            for (int64_t from : {tokens_[t].position, tokens_[t].place})
                for (int64_t pair = 0; pair < model_.rotary_width / 2; ++pair) {
                    double turned = from * model_.inv_freq[pair];
                    *angle++ = std::cos(turned) * model_.rotary_scale;
                    *angle++ = std::sin(turned) * model_.rotary_scale;
                }
        }
    }

    void normalise(const float *in, const float *norm, int64_t size, float *out) const {
        Floats squares{};
        for (int64_t i = 0; i < size; i += LANES) squares += load<Floats>(in + i) * load<Floats>(in + i);
        float factor = 1.0f / std::sqrt(sum(squares) / size + (float)model_.epsilon);
        for (int64_t i = 0; i < size; i += LANES)
            store(out + i, load<Floats>(in + i) * factor * load<Floats>(norm + i));
    }

    void normalise(Given &given, const float *norm) const {
        given.inputs.resize(states_.size());
        for (int t = 0; t < count_; ++t) {
            int64_t at = t * model_.hidden;
            normalise(&states_[at], norm, model_.hidden, &given.inputs[at]);
        }
    }

    void turn(const float *head, const float *angle, float *out) const {
        int64_t half = model_.rotary_width / 2;
        std::copy_n(head, model_.head_dim, out);
        for (int64_t i = 0; i < half; ++i) {
            float cosine = angle[2 * i], sine = angle[2 * i + 1];
            out[i] = head[i] * cosine - head[i + half] * sine;
            out[i + half] = head[i + half] * cosine + head[i] * sine;
        }
    }

    // What a layer computed for a head, normalised if it does that, turned for one of two places.
    void look(int t, int64_t head, const float *norm, int place, float *out) const {
        const int64_t dim = model_.head_dim;
        const float *found = &heads_[t * width_ + head * dim];
        Buffer normed(norm ? dim : 0);
        if (norm) normalise(found, norm, dim, normed.data());
        turn(norm ? normed.data() : found, &angles_[(2 * t + place) * model_.rotary_width], out);
    }

    template <class Number> Number *row_of(void *const *tensors, int64_t layer, int t, int64_t kv) {
        int64_t head = tokens_[t].row * model_.num_kv_heads + kv;
        return (Number *)tensors[layer] + head * rows_.num_slots * model_.head_dim;
    }

    template <class Number> void attend(Worker worker, Given &given, int64_t layer) {
        const int64_t num_kv = model_.num_kv_heads, per_kv = model_.num_heads / num_kv;
        int64_t first, last;
        worker.share(count_ * num_kv, first, last);
        for (int64_t i = first; i < last; ++i) enter<Number>(layer, i / num_kv, i % num_kv);
        barrier_.wait();
        worker.share(count_ * model_.num_heads, first, last);
        for (int64_t i = first; i < last; ++i) {
            int t = i / model_.num_heads;
            int64_t head = i % model_.num_heads;
            const Number *keys = row_of<Number>(rows_.keys, layer, t, head / per_kv);
            const Number *values = row_of<Number>(rows_.values, layer, t, head / per_kv);
            weigh(given, layer, t, head, keys);
            mix(given.scores, t, head, values);
        }
    }

    // A token's key and value of one head go to its slot, before any is read.
    template <class Number> void enter(int64_t layer, int t, int64_t kv) {
        const int64_t dim = model_.head_dim, slot = tokens_[t].slot * dim;
        Buffer key(dim);
        look(t, model_.num_heads + kv, model_.layers[layer].key_norm, 0, key.data());
        const float *value = &heads_[t * width_ + (model_.num_heads + model_.num_kv_heads + kv) * dim];
        Number *keys = row_of<Number>(rows_.keys, layer, t, kv) + slot;
        Number *values = row_of<Number>(rows_.values, layer, t, kv) + slot;
        for (int64_t d = 0; d < dim; ++d) {
            keep(keys + d, key[d]);
            keep(values + d, value[d]);
        }
    }

    // Softmax of the scores of all slots that hold something.
    template <class Number>
    void weigh(Given &given, int64_t layer, int t, int64_t head, const Number *keys) const {
        const int64_t dim = model_.head_dim, num_slots = tokens_[t].num_slots;
        const float *norm = model_.layers[layer].query_norm;
        Buffer &scores = given.scores, query(2 * dim);
        scores.assign((num_slots + LANES - 1) / LANES * LANES, -INFINITY);
        for (int place : {0, 1}) look(t, head, norm, place, &query[place * dim]);
        for (int64_t slot = 0; slot < num_slots; ++slot) {
            const float *looking = &query[slot < tokens_[t].num_sinks ? dim : 0];
            Floats products{};
            for (int64_t d = 0; d < dim; d += LANES)
                products += load<Floats>(looking + d) * numbers(keys + slot * dim + d);
            scores[slot] = sum(products) * (float)model_.scaling;
        }
        float most = *std::max_element(scores.begin(), scores.end());
        Floats total{};
        for (size_t i = 0; i < scores.size(); i += LANES) {
            Floats weight = exponential(load<Floats>(&scores[i]) - most);
            total += weight;
            store(&scores[i], weight);
        }
        float factor = 1 / sum(total);
        for (float &score : scores) score *= factor;
    }

    template <class Number>
    void mix(const Buffer &weights, int t, int64_t head, const Number *values) {
        const int64_t dim = model_.head_dim;
        float *out = &answers_[(t * model_.num_heads + head) * dim];
        for (int64_t d = 0; d < dim; d += LANES) {
            Floats some[4] = {};
            for (int64_t slot = 0; slot < tokens_[t].num_slots; ++slot)
                some[slot % 4] += weights[slot] * numbers(values + slot * dim + d);
            store(out + d, some[0] + some[1] + (some[2] + some[3]));
        }
    }

    void gate(Worker worker) {
        const int64_t inner = model_.inner;
        int64_t first, last;
        worker.share(inner / LANES, first, last);
        for (int t = 0; t < count_; ++t)
            for (int64_t i = first * LANES; i < last * LANES; i += LANES) {
                Floats gate = load<Floats>(&inner_[2 * t * inner + i]);
                Floats up = load<Floats>(&inner_[(2 * t + 1) * inner + i]);
                store(&gated_[t * inner + i], gate / (exponential(-gate) + 1.0f) * up);
            }
    }

    void answer(Worker worker, Given &given) const {
        const int64_t hidden = model_.hidden;
        given.inputs.clear();
        for (int t = 0; t < count_; ++t) {
            if (!tokens_[t].wants_logits) continue;
            given.inputs.resize(given.inputs.size() + hidden);
            normalise(&states_[t * hidden], model_.norm, hidden, &given.inputs.end()[-hidden]);
        }
        if (logits_) multiply(worker, given, &model_.head, 1, logits_, model_.head.outputs);
    }

    const Model &model_;
    const Rows &rows_;
    const Token *tokens_;
    const int count_;
    float *const logits_;
    const int num_threads_;
    Barrier barrier_;
    const int64_t width_;
    Buffer states_, heads_, answers_, inner_, gated_, angles_;
};

}  // namespace

// logits: (wanted, vocabulary), or null where nobody wants any.
extern "C" void step(const Model *model, const Rows *rows, const Token *tokens, int64_t count,
                     float *logits, int64_t num_threads) {
    Step(*model, *rows, tokens, count, logits, num_threads).run();
}
