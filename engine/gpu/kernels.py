"""Attention over rows where they lie, in Triton: what a GPU runs in each layer of a step.

First `attend`: each query looks at its sinks, turned back to where its window ends, at the recent
tokens in its row, and at those of the step itself, which are in no row yet; all in one softmax.
Where queries are few, several programs share the recent tokens of each, and `join` puts their
answers together. Then `keep` writes the step's keys and values to their slots. What the numbers of
a step mean is said in layout.py.

Letters: H query heads = KV key-value heads x G, D numbers of a key, E of a value, N tokens.
"""

import triton
import triton.language as tl

NOTHING = tl.constexpr(-1.0e30)  # below every score, and still a number to subtract from


@triton.jit
def attend(
    query, new_keys, new_values, new_key_peaks, new_value_peaks,
    keys, values, key_peaks, value_peaks,
    cosines, sines, sink_logits, slopes,
    of_tokens, of_segments, of_blocks,
    answers, totals,
    num_tokens, num_slots, scaling, softcap, reach,
    query_head_stride, query_stride, key_head_stride, key_stride, value_head_stride, value_stride,
    KV: tl.constexpr, G: tl.constexpr, D: tl.constexpr, E: tl.constexpr,
    QUERIES: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_E: tl.constexpr,
    WIDTH: tl.constexpr, IS_INTERLEAVED: tl.constexpr,
    HAS_PEAKS: tl.constexpr, HAS_SOFTCAP: tl.constexpr, HAS_SLOPES: tl.constexpr,
    HAS_SINK_LOGITS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One block of queries of one key-value head, and one share of their recent tokens.

    query (H, N, D), new_keys (KV, N, D), new_values (KV, N, E), keys (rows, KV, slots, D), values
    (rows, KV, slots, E), peaks the same without D and E; cosines, sines (N, WIDTH / 2);
    answers (shares, N, H, E), totals (shares, N, H): log of the softmax's denominator.
    """
    block, head, share = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    num_shares = tl.num_programs(2)
    segment = of_segments + 6 * tl.load(of_blocks + 2 * block)
    start = tl.load(of_blocks + 2 * block + 1).to(tl.int32)
    row = tl.load(segment)
    offset = tl.load(segment + 1).to(tl.int32)
    first = tl.load(segment + 2).to(tl.int32)
    count = tl.load(segment + 3).to(tl.int32)
    num_sinks = tl.load(segment + 4).to(tl.int32)
    num_recent = tl.load(segment + 5).to(tl.int32)

    m = tl.arange(0, BLOCK_M)
    within = start + m // G
    is_query = (m < QUERIES * G) & (within < count)
    at = offset + within
    heads = head * G + m % G
    token = first + within
    oldest = tl.load(of_tokens + 3 * num_tokens + at, mask=is_query, other=1 << 30).to(tl.int32)
    place = tl.load(of_tokens + 4 * num_tokens + at, mask=is_query, other=0).to(tl.int32)
    oldest = tl.maximum(oldest, token - reach + 1)
    d = tl.arange(0, BLOCK_D)
    asked = query + heads[:, None] * query_head_stride + at[:, None] * query_stride
    q = tl.load(asked + d[None, :], mask=is_query[:, None] & (d < D)[None, :], other=0.0)
    if HAS_SLOPES:
        slope = tl.load(slopes + heads, mask=is_query, other=0.0)
    else:
        slope = tl.zeros([BLOCK_M], tl.float32)

    top = tl.full([BLOCK_M], NOTHING, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    answer = tl.zeros([BLOCK_M, BLOCK_E], tl.float32)
    row_keys = keys + (row * KV + head) * num_slots * D
    row_values = values + (row * KV + head) * num_slots * E
    row_key_peaks = key_peaks + (row * KV + head) * num_slots
    row_value_peaks = value_peaks + (row * KV + head) * num_slots
    step_keys = new_keys + head * key_head_stride + offset * key_stride
    step_values = new_values + head * value_head_stride + offset * value_stride
    step_key_peaks = new_key_peaks + head * num_tokens + offset
    step_value_peaks = new_value_peaks + head * num_tokens + offset

    lowest = tl.load(of_tokens + 3 * num_tokens + offset + start).to(tl.int32)
    lowest = tl.maximum(lowest, first + start - reach + 1)
    if share == 0:
        if HAS_SINK_LOGITS:
            # A learned sink is one more term in the denominator: its share goes nowhere.
            top = tl.load(sink_logits + heads, mask=is_query, other=0.0).to(tl.float32)
            total = tl.full([BLOCK_M], 1.0, tl.float32)
        turned = q
        if WIDTH > 0:
            turned = _turned(q, asked, cosines, sines, at, is_query, d, WIDTH, IS_INTERLEAVED)
        for from_sink in range(0, num_sinks, BLOCK_S):
            j = from_sink + tl.arange(0, BLOCK_S)
            is_sink = j < num_sinks
            # A session that is young enough has sinks among the tokens of the step.
            is_held, is_new = is_sink & (j < first), is_sink & (j >= first) & (j < first + count)
            k, k_unit = _two_sources(
                row_keys, row_key_peaks, j, D, is_held,
                step_keys, step_key_peaks, j - first, key_stride, is_new,
                d, D, HAS_PEAKS,
            )  # fmt: skip
            v, v_unit = _two_sources(
                row_values, row_value_peaks, j, E, is_held,
                step_values, step_value_peaks, j - first, value_stride, is_new,
                tl.arange(0, BLOCK_E), E, HAS_PEAKS,
            )  # fmt: skip
            distance = place[:, None] - j[None, :]
            is_visible = is_sink[None, :] & (j[None, :] <= token[:, None]) & (distance < reach)
            top, total, answer = _taken_in(
                top, total, answer, turned, k, k_unit, v, v_unit, distance, is_visible,
                scaling, softcap, slope, HAS_SOFTCAP, HAS_SLOPES, PRECISION,
            )  # fmt: skip
        end = tl.minimum(start + QUERIES, count)
        for from_new in range(tl.maximum(lowest - first, 0), end, BLOCK_T):
            r = from_new + tl.arange(0, BLOCK_T)
            is_new = r < count
            k, k_unit = _vectors(
                step_keys, step_key_peaks, r, key_stride, is_new, d, D, HAS_PEAKS
            )  # fmt: skip
            v, v_unit = _vectors(
                step_values, step_value_peaks, r, value_stride, is_new,
                tl.arange(0, BLOCK_E), E, HAS_PEAKS,
            )  # fmt: skip
            distance = within[:, None] - r[None, :]
            is_visible = (distance >= 0) & (first + r[None, :] >= oldest[:, None])
            top, total, answer = _taken_in(
                top, total, answer, q, k, k_unit, v, v_unit, distance, is_visible,
                scaling, softcap, slope, HAS_SOFTCAP, HAS_SLOPES, PRECISION,
            )  # fmt: skip

    num_held = tl.maximum(first - lowest, 0)
    length = tl.cdiv(tl.cdiv(num_held, num_shares), BLOCK_T) * BLOCK_T
    begin = lowest + share * length
    for from_held in range(begin, tl.minimum(begin + length, first), BLOCK_T):
        p = from_held + tl.arange(0, BLOCK_T)
        is_held = p < first
        slot = num_sinks + (p - num_sinks) % num_recent
        k, k_unit = _vectors(row_keys, row_key_peaks, slot, D, is_held, d, D, HAS_PEAKS)
        v, v_unit = _vectors(
            row_values, row_value_peaks, slot, E, is_held, tl.arange(0, BLOCK_E), E, HAS_PEAKS
        )
        distance = token[:, None] - p[None, :]
        is_visible = is_held[None, :] & (p[None, :] >= oldest[:, None])
        top, total, answer = _taken_in(
            top, total, answer, q, k, k_unit, v, v_unit, distance, is_visible,
            scaling, softcap, slope, HAS_SOFTCAP, HAS_SLOPES, PRECISION,
        )  # fmt: skip

    e = tl.arange(0, BLOCK_E)
    where = (share * num_tokens + at) * (KV * G) + heads
    divisor = tl.where(total > 0, total, 1.0)  # a share of nothing
    is_answer = is_query[:, None] & (e < E)[None, :]
    tl.store(answers + where[:, None] * E + e[None, :], answer / divisor[:, None], mask=is_answer)
    tl.store(totals + where, top + tl.log(divisor), mask=is_query)


@triton.jit
def _turned(q, asked, cosines, sines, at, is_query, d, WIDTH: tl.constexpr,
            IS_INTERLEAVED: tl.constexpr):  # fmt: skip
    """The queries as they look at sinks: as Rotary.turn does it."""
    HALF: tl.constexpr = WIDTH // 2
    if IS_INTERLEAVED:
        pair, is_first, partner = d // 2, d % 2 == 0, d ^ 1
    else:
        pair, is_first, partner = d % HALF, d < HALF, tl.where(d < HALF, d + HALF, d - HALF)
    is_turned = is_query[:, None] & (d < WIDTH)[None, :]
    angle = at[:, None] * HALF + pair[None, :]
    cos = tl.load(cosines + angle, mask=is_turned, other=1.0)
    sin = tl.load(sines + angle, mask=is_turned, other=0.0)
    others = tl.load(asked + partner[None, :], mask=is_turned, other=0.0).to(tl.float32)
    others *= tl.where(is_first, -1.0, 1.0)[None, :]
    return (q.to(tl.float32) * cos + others * sin).to(q.dtype)


@triton.jit
def _vectors(base, peaks, index, stride, is_there, d, D: tl.constexpr, HAS_PEAKS: tl.constexpr):
    """Vectors (T, D) as they are kept, and what a code of each is worth, (T,)."""
    vectors = tl.load(
        base + index[:, None] * stride + d[None, :],
        mask=is_there[:, None] & (d < D)[None, :], other=0,
    )  # fmt: skip
    if HAS_PEAKS:
        units = tl.load(peaks + index, mask=is_there, other=0.0) / 127
    else:
        units = tl.full([index.shape[0]], 1.0, tl.float32)
    return vectors, units


@triton.jit
def _two_sources(base, peaks, index, stride, is_here, other_base, other_peaks, other_index,
                 other_stride, is_there, d, D: tl.constexpr, HAS_PEAKS: tl.constexpr):  # fmt: skip
    here, here_units = _vectors(base, peaks, index, stride, is_here, d, D, HAS_PEAKS)
    there, there_units = _vectors(
        other_base, other_peaks, other_index, other_stride, is_there, d, D, HAS_PEAKS
    )
    return tl.where(is_here[:, None], here, there), tl.where(is_here, here_units, there_units)


@triton.jit
def _taken_in(top, total, answer, q, k, k_unit, v, v_unit, distance, is_visible, scaling, softcap,
              slope, HAS_SOFTCAP: tl.constexpr, HAS_SLOPES: tl.constexpr,
              PRECISION: tl.constexpr):  # fmt: skip
    """One more block of keys (T, D) and values (T, E) under the running softmax."""
    scores = tl.dot(q, tl.trans(k.to(q.dtype)), input_precision=PRECISION) * scaling
    scores *= k_unit[None, :]
    if HAS_SOFTCAP:
        # tanh(x) = 1 - 2 / (exp(2 x) + 1)
        scores = softcap * (1 - 2 / (tl.exp(2 * scores / softcap) + 1))
    if HAS_SLOPES:
        scores -= slope[:, None] * distance
    scores = tl.where(is_visible, scores, float("-inf"))
    above = tl.maximum(top, tl.max(scores, axis=1))
    shrunk = tl.exp(top - above)
    weights = tl.exp(scores - above[:, None])
    total = total * shrunk + tl.sum(weights, axis=1)
    weights = (weights * v_unit[None, :]).to(q.dtype)
    mixed = tl.dot(weights, v.to(q.dtype), input_precision=PRECISION)
    return above, total, answer * shrunk[:, None] + mixed


@triton.jit
def join(
    shared, totals, answers, num_tokens, num_shares,
    H: tl.constexpr, E: tl.constexpr, BLOCK_SHARES: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    """Answers (shares, N, H, E) and totals (shares, N, H) of shares -> answers (N, H, E)."""
    at = tl.program_id(0) * H + tl.program_id(1)
    share, e = tl.arange(0, BLOCK_SHARES), tl.arange(0, BLOCK_E)
    where = share * num_tokens * H + at
    is_there = share < num_shares
    weights = tl.load(totals + where, mask=is_there, other=float("-inf"))
    weights = tl.exp(weights - tl.max(weights, axis=0))
    parts = tl.load(
        shared + where[:, None] * E + e[None, :],
        mask=is_there[:, None] & (e < E)[None, :], other=0.0,
    )  # fmt: skip
    answer = tl.sum(parts * weights[:, None], axis=0) / tl.sum(weights, axis=0)
    tl.store(answers + at * E + e, answer, mask=e < E)


@triton.jit
def keep(
    new_keys, new_values, new_key_peaks, new_value_peaks, keys, values, key_peaks, value_peaks,
    of_tokens, num_tokens, num_slots, key_head_stride, key_stride, value_head_stride, value_stride,
    KV: tl.constexpr, D: tl.constexpr, E: tl.constexpr, BLOCK_D: tl.constexpr,
    BLOCK_E: tl.constexpr, HAS_PEAKS: tl.constexpr,
):  # fmt: skip
    """One token's key and value of one head go to its slot, if it has one."""
    at, head = tl.program_id(0), tl.program_id(1)
    row = tl.load(of_tokens + 5 * num_tokens + at)
    if row >= 0:
        place = (row * KV + head) * num_slots + tl.load(of_tokens + 6 * num_tokens + at)
        d, e = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_E)
        key = tl.load(new_keys + head * key_head_stride + at * key_stride + d, mask=d < D)
        value = tl.load(new_values + head * value_head_stride + at * value_stride + e, mask=e < E)
        tl.store(keys + place * D + d, key, mask=d < D)
        tl.store(values + place * E + e, value, mask=e < E)
        if HAS_PEAKS:
            tl.store(key_peaks + place, tl.load(new_key_peaks + head * num_tokens + at))
            tl.store(value_peaks + place, tl.load(new_value_peaks + head * num_tokens + at))
