#ifndef PARE_QUANTIZE_TAPPED_WEIGHTS_HPP
#define PARE_QUANTIZE_TAPPED_WEIGHTS_HPP

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <pare/nn/prepare.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// What one storage of weights gave in a run of a model: its products, as layers leave them with their bias, and how long they
/// took.
struct tapped_products {
    std::string path;
    std::string weights;
    std::size_t bytes = 0;
    std::vector<float> outputs;
    bool keeps_outputs = true;
    std::size_t inputs = 0;   // that came by, with a range from calibration
    std::size_t clipped = 0;  // of them, beyond it
    double microseconds = 0.0;

    void begin_run() noexcept {
        outputs.clear();
        microseconds = 0.0;
    }
    template <class Product>
    void time(const Product& product) noexcept {
        using clock = std::chrono::steady_clock;
        const auto begin = clock::now();
        product();
        microseconds += std::chrono::duration<double, std::micro>(clock::now() - begin).count();
    }
    void keep(const matrix_view<float>& y) {
        for (std::size_t r = 0; keeps_outputs && r < y.rows; ++r) {
            outputs.insert(outputs.end(), y.row(r), y.row(r) + y.columns);
        }
    }
    /// x as bytes by q, and back.
    void round(const static_range& range, const float* x, std::size_t n, float* rounded) noexcept {
        const quantization& q = range.input;
        const float inverse = exact_divide(1.0f, q.scale);
        for (std::size_t i = 0; i < n; ++i) {
            const std::int32_t byte = quantize_value(x[i], inverse, q.zero_point, quint8::smallest, range.largest);
            rounded[i] = exact_multiply(static_cast<float>(byte - q.zero_point), q.scale);
            const float error = x[i] - rounded[i];
            clipped += error > q.scale || error < -q.scale ? 1 : 0;
        }
        inputs += n;
    }
};

/// Weights that tell what they give. Those for bytes by calibration are multiplied as the floats that they and their inputs stand
/// for: between layers there are bytes in the network itself.
template <class Weights>
struct tapped {};

/// The numbers that weights stand for, in full.
template <class Element, class Layout>
weight_matrix<float, full> real_weights(const weight_matrix<Element, Layout>& w) {
    weight_matrix<float, full> real(w.rows(), w.columns());
    w.structure.for_each(
        [&](std::size_t row, std::size_t column, std::size_t i) { real.values[row * w.columns() + column] = w.real(row, i); });
    return real;
}

}  // namespace detail

template <class Weights, class Isa>
class packed<detail::tapped<Weights>, Isa> {
    using inner = packed<Weights, Isa>;

public:
    packed(const Weights& w, detail::tapped_products* products, std::optional<static_range> range)
        : inner_(w), products_(products), range_(range) {}

    std::size_t rows() const noexcept { return inner_.rows(); }
    std::size_t columns() const noexcept { return inner_.columns(); }
    std::size_t bytes() const noexcept { return inner_.bytes(); }
    std::string describe() const { return inner_.describe(); }
    template <class Activations>
    requires multiplies<inner, Activations>
    static constexpr std::size_t scratch_bytes(Activations a, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return inner::scratch_bytes(a, batch, rows, columns);
    }

    template <class Activations, class Context, class... Stages>
    void multiply(Activations a, Context& ctx, matrix_view<const float> x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        std::vector<float> rounded;
        if (range_) {
            rounded.resize(x.rows * x.columns);
            for (std::size_t r = 0; r < x.rows; ++r) {
                products_->round(*range_, x.row(r), x.columns, rounded.data() + r * x.columns);
            }
            x = matrix_view<const float>(rounded.data(), x.rows, x.columns);
        }
        products_->time([&] { inner_.multiply(a, ctx, x, y, stages...); });
        products_->keep(y);
    }

private:
    inner inner_;
    detail::tapped_products* products_;
    std::optional<static_range> range_;
};

template <class Weights, class Isa>
class packed_convolution<detail::tapped<Weights>, Isa> {
    using inner = packed_convolution<Weights, Isa>;

public:
    packed_convolution(const Weights& w, const kernels::convolution& s, detail::tapped_products* products,
                       std::optional<static_range> range)
        : inner_(w, s), products_(products), range_(range) {}

    std::size_t rows() const noexcept { return inner_.rows(); }
    std::size_t columns() const noexcept { return inner_.columns(); }
    std::size_t bytes() const noexcept { return inner_.bytes(); }
    std::string describe() const { return inner_.describe(); }
    template <class Activations>
    static constexpr std::size_t scratch_bytes(Activations a, const kernels::convolution& s) noexcept {
        return inner::scratch_bytes(a, s);
    }

    template <class Activations, class Executor, class... Stages>
    void convolve(Activations a, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  Stages... stages) const noexcept {
        std::vector<float> rounded;
        if (range_) {
            rounded.resize(s.height * s.width * s.channels);
            products_->round(*range_, x, rounded.size(), rounded.data());
            x = rounded.data();
        }
        products_->time([&] { inner_.convolve(a, executor, scratch, s, x, y, stages...); });
        products_->keep(matrix_view<float>(y, s.output_pixels(), s.outputs));
    }

private:
    inner inner_;
    detail::tapped_products* products_;
    std::optional<static_range> range_;
};

namespace detail {

/// Weights to tapped ones, packed for an instruction set; tables whose rows are looked up stay as they are.
template <class Isa>
struct tap_weights {
    std::deque<tapped_products>* all;

    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a) const {
        tapped_products& products = add(path, w, a);
        if constexpr (std::is_same_v<Activations, static_range>) {
            using made = packed<tapped<weight_matrix<float, full>>, Isa>;
            return mapped_weights<made, as_float>{made(real_weights(w), &products, a), {}};
        } else {
            using made = packed<tapped<Weights>, Isa>;
            return mapped_weights<made, Activations>{made(w, &products, std::nullopt), a};
        }
    }
    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a, const kernels::convolution& s) const {
        tapped_products& products = add(path, w, a);
        if constexpr (std::is_same_v<Activations, static_range>) {
            using made = packed_convolution<tapped<weight_matrix<float, full>>, Isa>;
            return mapped_weights<made, as_float>{made(real_weights(w), s, &products, a), {}};
        } else {
            using made = packed_convolution<tapped<Weights>, Isa>;
            return mapped_weights<made, Activations>{made(w, s, &products, std::nullopt), a};
        }
    }

private:
    template <class Weights, class Activations>
    tapped_products& add(const member_path& path, const Weights& w, const Activations&) const {
        tapped_products& products = all->emplace_back();
        products.path = path.text();
        products.weights = w.describe() + Activations::note;
        products.bytes = w.bytes();
        return products;
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
