"""Predictions of update rules, from FORMAT.md, "Rules": single precision by rounding doubles, which is exact for one operation."""
import math
import struct

NAN = 0x7fc00000


def single(x):
    """Rounds a double to single precision."""
    try:
        return struct.unpack('<f', struct.pack('<f', x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def bits_of(x):
    return NAN if x != x else struct.unpack('<I', struct.pack('<f', x))[0]


def float_of(bits):
    return struct.unpack('<f', struct.pack('<I', bits))[0]


def quotient(a, b):
    if b != 0:
        return single(a / b)
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def root(x):
    return single(math.sqrt(x)) if x >= 0 or x != x else math.nan


def add(a, b):
    return single(a + b)


def mul(a, b):
    return single(a * b)


def fused(a, b, c):
    return single(a * b + c)


def shortened(x, drop):
    if x != x:
        return x
    bits = bits_of(x)
    return float_of((bits + (1 << (drop - 1)) - 1 + ((bits >> drop) & 1)) >> drop << drop & 0xffffffff)


def gradient(m, m0, beta, rest, products):
    inverse = 1 / rest if rest != 0 else math.copysign(math.inf, rest)
    return single((m - beta * m0) * inverse if products else m0 + (m - m0) * inverse)


def second_moment(order, k, v0, m, m0):
    if order >> 6 and pattern(m) == pattern(m0):
        return v0
    g = gradient(number(m), number(m0), k[0], k[1], order & 1)
    drop = (0, 16, 13)[order >> 1 & 3]
    g = shortened(g, drop) if drop else g
    return square_added(order >> 3 & 7, k[2], k[3], number(v0), g)


def square_added(kind, beta, rest, v0, g):
    if kind == 0:
        return fused(mul(rest, g), g, mul(v0, beta))
    if kind == 1:
        return fused(rest, mul(g, g), mul(v0, beta))
    if kind >= 6:
        apart = add(mul(g, g), -v0)
        return fused(rest, apart, v0) if kind == 7 else add(v0, mul(rest, apart))
    square = mul(rest, mul(g, g)) if kind & 1 else mul(mul(rest, g), g)
    return add(mul(v0, beta), square) if kind < 4 else fused(v0, beta, square)


def wide_quotient(a, b):
    if b != 0:
        return a / b
    if a == 0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def step_square(order, k, s0, x, x0):
    kept, rest1, beta, rest, eps = k
    u = (x - kept * x0) * wide_quotient(1.0, rest1)
    c = rest * (u * u)
    lost, left = c * eps, 1 - c
    if order & 8:
        inside = wide_quotient(beta * s0 + eps, left)
        g = single(u * (math.sqrt(inside) if inside >= 0 else math.nan))
        return square_added(order & 7, beta, rest, s0, g)
    inside = lost * lost + left * (lost * eps + beta * s0)
    r = wide_quotient(lost + (math.sqrt(inside) if inside >= 0 else math.nan), left)
    return square_added(order, beta, rest, s0, single(u * (r + eps)))


def decayed(w, decay, kind):
    if kind == 0:
        return w
    if kind == 1:
        return mul(w, decay)
    return fused(-decay, w, w) if kind == 3 else add(w, -mul(decay, w))


def denominator(v, bias, eps, kind):
    if kind == 2:
        return add(root(quotient(v, bias)), eps)
    if kind == 3:
        return fused(root(v), bias, eps)
    return add(mul(root(v), bias) if kind else quotient(root(v), bias), eps)


def adam_weights(order, k, w, m, v):
    decay, scale, bias1, bias2, eps = k
    d = denominator(v, bias2, eps, order >> 2 & 3)
    if order >> 7 and not order & 3:
        return updated(order >> 4 & 7, w, w, m, mul(bias1, d), decay, scale, 1.0)
    if order >> 7:
        return decayed(updated(order >> 4 & 7, w, w, m, d, decay, scale, bias1), decay, order & 3)
    return updated(order >> 4, decayed(w, decay, order & 3), w, m, d, decay, scale, bias1)


def updated(kind, p, w, m, d, decay, scale, bias1):
    if kind == 0:
        return add(p, quotient(mul(scale, m), d))
    if kind == 1:
        return add(p, mul(scale, quotient(m, d)))
    if kind == 2:
        return fused(scale, quotient(m, d), p)
    if kind == 7:
        return add(p, quotient(m, d))
    u = quotient(quotient(m, bias1), d)
    if kind == 3:
        return add(p, mul(scale, u))
    if kind == 4:
        return fused(scale, u, p)
    if kind == 5:
        return add(p, mul(scale, add(u, mul(decay, w))))
    return fused(scale, fused(decay, w, u), p)


def lazy_adam_weights(order, k, w, m, v, m0):
    if pattern(m) == pattern(m0):
        return w
    return adam_weights(order, k, number(w), number(m), number(v))


def nadam_weights(order, k, w, m, v, m0):
    decay, ahead, scale, bias2, eps, beta1, rest1 = k
    g = gradient(m, m0, beta1, rest1, False)
    d = denominator(v, bias2, eps, order >> 2 & 3)
    p = decayed(w, decay, order & 3)
    for by, x in ((ahead, g), (scale, m)):
        p = add(p, mul(by, quotient(x, d)) if order >> 4 else quotient(mul(by, x), d))
    return p


def lion_weights(order, k, w, m, m0):
    decay, scale, ratio = k
    c = single(m0 + ratio * (m - m0))
    sign = 1.0 if c > 0 else -1.0 if c < 0 else c
    if order == 4:
        return add(w, mul(scale, add(sign, mul(decay, w))))
    return add(decayed(w, decay, order), mul(scale, sign))


def momentum_weights(order, k, w, step):
    return fused(k[0], step, w) if order else add(w, mul(k[0], step))


def nesterov_weights(order, k, w, buffer, buffer0):
    g = gradient(buffer, buffer0, k[1], k[2], True)
    step = fused(k[1], buffer, g) if order else add(g, mul(k[1], buffer))
    return momentum_weights(order, k, w, step)


def mixed(order, k, m0, g):
    if order == 0:
        return fused(k[1], add(g, -m0), m0)
    if order == 1:
        return add(m0, mul(k[1], add(g, -m0)))
    if order == 2:
        return fused(k[1], g, mul(m0, k[0]))
    new = mul(k[1], g)
    return add(mul(m0, k[0]), new) if order == 3 else fused(m0, k[0], new)


def faded_moment(order, k, m0):
    return mixed(order, k, m0, 0.0)


def scaled_moment(order, k, m0, g):
    return mixed(order & 7, k, m0, mul(k[2], g))


def decayed_moment(order, k, m0, w0, g):
    own = mul(k[2], g)
    return mixed(order & 7, k, m0, add(own, mul(k[3], w0)) if order >> 4 else fused(k[3], w0, own))


def maximum(order, k, a, b):
    return b if number(b) > number(a) else a


# predictor id: (formula, constants)
RULES = {4: (second_moment, 4), 5: (adam_weights, 5), 6: (momentum_weights, 3), 7: (nesterov_weights, 3),
         8: (mixed, 2), 9: (lazy_adam_weights, 5), 10: (nadam_weights, 7), 11: (lion_weights, 3),
         12: (faded_moment, 2), 13: (scaled_moment, 3), 14: (decayed_moment, 4), 15: (step_square, 5),
         16: (mixed, 2), 17: (maximum, 0)}
# predictors whose last input, the gradients, is in the record
GRADIENTS = (8, 13, 14)
# formulas that pass bits on: their lanes and results are patterns where nothing is computed
PATTERNS = (second_moment, lazy_adam_weights, maximum)


class Pattern(int):
    """The bits of a lane."""


def pattern(bits):
    return int(bits)


def number(bits):
    return float_of(bits)


def predict(formula, order, constants, inputs):
    """The predicted f32 lanes, as bytes; inputs are f32 lanes."""
    if formula in PATTERNS:
        lanes = [map(Pattern, struct.unpack(f'<{len(data) // 4}I', data)) for data in inputs]
    else:
        lanes = [struct.unpack(f'<{len(data) // 4}f', data) for data in inputs]
    values = [formula(order, constants, *lane) for lane in zip(*lanes)]
    return struct.pack(f'<{len(values)}I', *(x if isinstance(x, Pattern) else bits_of(x) for x in values))


def cast(source, target, data):
    """source and target are dtype ids: 13 f16, 14 bf16, 15 f32."""
    if target == 15:
        if source == 14:
            return b''.join(b'\0\0' + data[at:at + 2] for at in range(0, len(data), 2))
        return b''.join(wide_half(half).to_bytes(4, 'little') for half in struct.unpack(f'<{len(data) // 2}H', data))
    words = struct.unpack(f'<{len(data) // 4}I', data)
    return b''.join((bf16_of(word) if target == 14 else f16_of(word)).to_bytes(2, 'little') for word in words)


def bf16_of(word):
    if word & 0x7fffffff > 0x7f800000:
        return 0x7fc0
    return (word + 0x7fff + (word >> 16 & 1)) >> 16


def f16_of(word):
    if word & 0x7fffffff > 0x7f800000:
        return 0x7e00
    try:
        return int.from_bytes(struct.pack('<e', float_of(word)), 'little')
    except OverflowError:
        return word >> 16 & 0x8000 | 0x7c00


def wide_half(half):
    if half & 0x7c00 == 0x7c00:
        return (half & 0x8000) << 16 | 0x7f800000 | (half & 0x3ff) << 13
    return bits_of(struct.unpack('<e', half.to_bytes(2, 'little'))[0])
