#ifndef PARE_KERNELS_QUANTIZED_ELEMENTWISE_HPP
#define PARE_KERNELS_QUANTIZED_ELEMENTWISE_HPP

#include <cstring>
#include <limits>
#include <type_traits>

#include <pare/core/tensor.hpp>
#include <pare/kernels/elementwise.hpp>
#include <pare/simd/math.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// Kernels on bytes that stand for real numbers. Bytes are std::uint8_t (quint8) or std::int8_t (qint8), each array with a
/// quantization of its own; what lies between two roundings is exact or has one order, so all instruction sets give the same bytes.
/// kernels/reference_quantized.hpp defines what each computes.
namespace kernels {

/// Where results go: what their bytes stand for, and the least and greatest of them. A ReLU is a least of the zero point.
struct byte_output {
    quantization q;
    std::int32_t smallest;
    std::int32_t largest;

    bool operator==(const byte_output&) const = default;

    /// All bytes of type Y.
    template <class Y>
    static constexpr byte_output of(quantization q) noexcept {
        return {q, (std::numeric_limits<Y>::min)(), (std::numeric_limits<Y>::max)()};
    }
    /// Those that stand for numbers in [low, high]: {0, inf} is a ReLU, {0, 6} a ReLU6.
    byte_output between(float low, float high) const noexcept {
        const float inverse = exact_divide(1.0f, q.scale);
        return {q, quantize_value(low, inverse, q.zero_point, smallest, largest),
                quantize_value(high, inverse, q.zero_point, smallest, largest)};
    }

    /// clamp(RNE(x) + zero_point) without the zero point, for x in steps of the scale.
    template <class Isa>
    PARE_INLINE typename simd::ops<Isa>::i32 round(typename simd::ops<Isa>::f32 x) const noexcept {
        using V = simd::ops<Isa>;
        const auto low = V::set(static_cast<float>(smallest - q.zero_point));
        const auto high = V::set(static_cast<float>(largest - q.zero_point));
        return V::round(V::minimum(V::maximum(x, low), high));
    }
};

/// y[i] = f(i, count, x[i]...) + zero_point, saturated, for vectors of `count` numbers each: f takes 32-bit integers and gives some
/// of at most 2^14. y may be one of the inputs. O(n).
template <class Isa, class Y, class F, class... In>
PARE_INLINE void transform_bytes(std::size_t n, Y* y, std::int32_t zero_point, const F& f, const In*... x) noexcept {
    using V = simd::ops<Isa>;
    std::size_t i = 0;
    for (; i + 4 * V::lanes <= n; i += 4 * V::lanes) {
        typename V::i32 four[4];
        PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
            four[u] = f(i + u * V::lanes, V::lanes, V::load_widened(x + i + u * V::lanes)...);
        }
        simd::store_four_saturated<Isa>(y + i, four, zero_point);
    }
    for (; i + V::lanes <= n; i += V::lanes) {
        V::store_saturated(y + i, f(i, V::lanes, V::load_widened(x + i)...) + V::set(zero_point));
    }
    if (i < n) {
        V::store_saturated_partial(y + i, f(i, n - i, simd::load_widened_partial<Isa>(x + i, n - i)...) + V::set(zero_point),
                                   n - i);
    }
}

/// y = x in the kind of integers that the steps of a product are fastest with: bytes as they are, or 16-bit numbers. O(n).
template <class Isa, class Y>
PARE_FLATTEN PARE_NOINLINE void widen_bytes(std::size_t n, Y* y, const std::uint8_t* x) noexcept {
    if constexpr (sizeof(Y) == 1) {
        std::memcpy(y, x, n);
    } else {
        transform_bytes<Isa>(
            n, y, 0, [](std::size_t, std::size_t, auto v) { return v; }, x);
    }
}

/// y = clamp(RNE(float(a - a.zero_point) * (a.scale / y.scale) + float(b - b.zero_point) * (b.scale / y.scale)) + y.zero_point):
/// the sum of two arrays, as of a residual. Each quotient, product and sum is rounded by itself. O(n).
struct add_bytes {
    quantization a;
    quantization b;
    byte_output y;

    template <class Isa, class Y, class A, class B>
    PARE_FLATTEN PARE_NOINLINE void apply(std::size_t n, Y* out, const A* first, const B* second) const noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const auto a_zero = V::set(a.zero_point), b_zero = V::set(b.zero_point);
        const auto a_factor = V::set(exact_divide(a.scale, y.q.scale)), b_factor = V::set(exact_divide(b.scale, y.q.scale));
        const byte_output to = y;  // a copy, whose numbers no store of bytes can change
        transform_bytes<Isa>(
            n, out, to.q.zero_point,
            [&](std::size_t, std::size_t, auto v, auto w) {
                return to.template round<Isa>(
                    R::add(R::multiply(V::to_float(v - a_zero), a_factor), R::multiply(V::to_float(w - b_zero), b_factor)));
            },
            first, second);
    }
};

/// y = clamp(RNE(float(x - x.zero_point) * (x.scale / y.scale)) + y.zero_point): the same numbers at another scale, as the parts of
/// a concatenation. O(n).
struct requantize_bytes {
    quantization x;
    byte_output y;

    template <class Isa, class Y, class X>
    PARE_FLATTEN PARE_NOINLINE void apply(std::size_t n, Y* out, const X* in) const noexcept {
        using V = simd::ops<Isa>;
        if (std::is_same_v<X, Y> && y == byte_output::of<Y>(x)) {
            std::memcpy(out, in, n);
            return;
        }
        const auto zero = V::set(x.zero_point);
        const auto factor = V::set(exact_divide(x.scale, y.q.scale));
        const byte_output to = y;
        transform_bytes<Isa>(
            n, out, to.q.zero_point,
            [&](std::size_t, std::size_t, auto v) {
                return to.template round<Isa>(simd::rounded<Isa>::multiply(V::to_float(v - zero), factor));
            },
            in);
    }

    /// From the rows of one array into the same rows of a wider one.
    template <class Isa, class X, class Y>
    void copy_rows(const matrix_view<X>& from, const matrix_view<Y>& to) const noexcept {
        PARE_ASSERT(from.rows == to.rows && from.columns == to.columns, "%zux%zu bytes into %zux%zu", from.rows, from.columns,
                    to.rows, to.columns);
        if (from.stride == from.columns && to.stride == to.columns) {
            apply<Isa>(from.rows * from.columns, to.data, from.data);
            return;
        }
        for (std::size_t r = 0; r < from.rows; ++r) {
            apply<Isa>(from.columns, to.row(r), from.row(r));
        }
    }
};

/// A function of one byte, written down: y = entry[x], where x counts by its bits.
struct byte_table {
    std::uint8_t entry[256];

    template <class Isa, class Y, class X>
    PARE_FLATTEN PARE_NOINLINE void apply(std::size_t n, Y* y, const X* x) const noexcept {
        static_assert(sizeof(X) == 1 && sizeof(Y) == 1, "pare: a byte_table maps bytes to bytes");
        simd::map_bytes<Isa>(entry, reinterpret_cast<const std::uint8_t*>(x), n, reinterpret_cast<std::uint8_t*>(y));
    }
};

/// entry[x] = clamp(RNE(f((x - x.zero_point) * x.scale) * (1 / y.scale)) + y.zero_point): f of a float, or one of the functions in
/// kernels/activations.hpp, which have the same bits everywhere. NaN gives the zero point.
template <class X, class Y, class Function>
byte_table make_table(const Function& f, quantization x, const byte_output& y) {
    static_assert(sizeof(X) == 1 && sizeof(Y) == 1, "pare: a byte_table maps bytes to bytes");
    const float inverse = exact_divide(1.0f, y.q.scale);
    byte_table table{};
    for (int i = 0; i < 256; ++i) {
        const float real = exact_multiply(static_cast<float>(static_cast<X>(i) - x.zero_point), x.scale);
        float value = 0.0f;
        if constexpr (requires { f.template value<isa::scalar>(real); }) {
            value = f.template value<isa::scalar>(real);
        } else {
            value = f(real);
        }
        table.entry[i] = static_cast<std::uint8_t>(quantize_value(value, inverse, y.q.zero_point, y.smallest, y.largest));
    }
    return table;
}

/// One of these kernels on arrays of n bytes, its elements split over the executor: see kernels/operation.hpp.
template <class Kernel, class Y, class... X>
struct bytes_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, Kernel kernel, std::size_t n, Y* y, const X*... x) {
        const auto part = [&](std::size_t task) {
            const std::size_t first = task * elementwise_task;
            kernel.template apply<Isa>(n - first < elementwise_task ? n - first : elementwise_task, y + first, (x + first)...);
        };
        if (n <= elementwise_task) {
            part(0);
        } else {
            executor.for_each((n + elementwise_task - 1) / elementwise_task, part);
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
