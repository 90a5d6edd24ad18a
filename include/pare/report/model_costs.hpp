#ifndef PARE_REPORT_MODEL_COSTS_HPP
#define PARE_REPORT_MODEL_COSTS_HPP

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include <pare/kernels/packed_conv.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/summary.hpp>
#include <pare/report/weight_histogram.hpp>
#include <pare/types/mixed_weights.hpp>

PARE_NAMESPACE_BEGIN

/// What one matrix of weights takes, and what the model does with it for one sample.
struct layer_cost {
    std::string path;     // "0.weight"
    std::string storage;  // "qint8 csr, activations quantized per row"
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t stored = 0;  // numbers: those that a sparse layout leaves out are multiplied by nothing
    std::size_t bytes = 0;   // with scales, indices and codebooks
    std::size_t uses = 0;    // how often a sample is multiplied by it: once per pixel of a convolution, per step of a sequence
    std::size_t inputs = 0;  // numbers that products read, per sample; an image once, however many patches it has
    std::size_t outputs = 0;
    bool of_bytes = false;             // bytes are multiplied, into sums of 32 bits; else floats
    std::size_t activation_bytes = 4;  // of one number that flows in: 1 between the layers of static networks
    weight_histogram weights;

    std::size_t multiplications() const noexcept { return uses * stored; }
};

/// The same for all of a model.
struct model_costs {
    std::vector<layer_cost> layers;
    model_summary size;

    /// Of biases, norms and ranges: what is no matrix of weights.
    std::size_t other_bytes() const noexcept {
        std::size_t bytes = size.bytes;
        for (const layer_cost& l : layers) {
            bytes -= l.bytes;
        }
        return bytes;
    }
    std::size_t multiplications() const noexcept {
        std::size_t n = 0;
        for (const layer_cost& l : layers) {
            n += l.multiplications();
        }
        return n;
    }
};

namespace detail {

/// Weights that count their products instead of computing them, which give zeros.
struct counted {};

}  // namespace detail

template <class Isa>
class packed<detail::counted, Isa> {
public:
    explicit packed(layer_cost* layer) noexcept : layer_(layer) {}

    std::size_t rows() const noexcept { return layer_->rows; }
    std::size_t columns() const noexcept { return layer_->columns; }
    std::size_t bytes() const noexcept { return layer_->bytes; }
    std::string describe() const { return layer_->storage; }
    static constexpr std::size_t scratch_bytes(as_float, std::size_t, std::size_t, std::size_t) noexcept { return 0; }

    template <class Context, class... Stages>
    void multiply(as_float, Context&, const matrix_view<const float>& x, const matrix_view<float>& y, Stages...) const noexcept {
        layer_->uses += x.rows;
        layer_->inputs += x.rows * x.columns;
        layer_->outputs += y.rows * y.columns;
        for (std::size_t r = 0; r < y.rows; ++r) {
            std::fill_n(y.row(r), y.columns, 0.0f);
        }
    }

private:
    layer_cost* layer_;
};

template <class Isa>
class packed_convolution<detail::counted, Isa> {
public:
    explicit packed_convolution(layer_cost* layer) noexcept : layer_(layer) {}

    std::size_t rows() const noexcept { return layer_->rows; }
    std::size_t columns() const noexcept { return layer_->columns; }
    std::size_t bytes() const noexcept { return layer_->bytes; }
    std::string describe() const { return layer_->storage; }
    static constexpr std::size_t scratch_bytes(as_float, const kernels::convolution&) noexcept { return 0; }

    template <class Executor, class... Stages>
    void convolve(as_float, Executor&, arena, const kernels::convolution& s, const float*, float* y, Stages...) const noexcept {
        layer_->uses += s.output_pixels();
        layer_->inputs += s.height * s.width * s.channels;
        layer_->outputs += s.output_pixels() * s.outputs;
        std::fill_n(y, s.output_pixels() * s.outputs, 0.0f);
    }

private:
    layer_cost* layer_;
};

namespace detail {

/// Calls f(weight_matrix, activations) for weights, whichever candidate they are.
template <class Weights, class Activations, class F>
void with_matrix(const Weights& w, const Activations& a, const F& f) {
    if constexpr (requires { w.chosen(); }) {
        w.visit([&](auto index, const auto& matrix) {
            using own = typename Weights::template candidate_at<index>::activations;
            if constexpr (std::is_same_v<own, as_given>) {
                f(matrix, a);
            } else {
                f(matrix, own{});
            }
        });
    } else {
        f(w, a);
    }
}

/// Weights to counted ones, and what is known of them without a run.
template <class Isa>
struct count_products {
    std::deque<layer_cost>* layers;
    std::size_t bins;

    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a, looked_up) const {
        add(path, w, a);
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a, const kernels::convolution&) const {
        return mapped_weights<packed_convolution<counted, Isa>, as_float>{packed_convolution<counted, Isa>(&add(path, w, a)), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a) const {
        return mapped_weights<packed<counted, Isa>, as_float>{packed<counted, Isa>(&add(path, w, a)), {}};
    }

private:
    template <class Weights, class Activations>
    layer_cost& add(const member_path& path, const Weights& w, const Activations& a) const {
        layer_cost& layer = layers->emplace_back();
        layer.path = path.text();
        with_matrix(w, a, [&](const auto& matrix, const auto& activations) {
            using kind = std::remove_cvref_t<decltype(activations)>;
            layer.storage = matrix.describe() + kind::note;
            layer.rows = matrix.rows();
            layer.columns = matrix.columns();
            layer.stored = matrix.structure.stored();
            layer.bytes = matrix.bytes();
            layer.of_bytes = !std::is_same_v<kind, as_float>;
            layer.activation_bytes = std::is_same_v<kind, static_range> ? 1 : sizeof(float);
            layer.weights = histogram_of(matrix, bins);
        });
        return layer;
    }
};

template <class Isa, class Model>
void run_one(const Model& model) {
    const auto plan = model.plan();
    const auto in = plan.input_shape();
    const auto out = plan.output_shape(in);
    const std::vector<float> x(in.size());
    std::vector<float> y(out.size());
    workspace space(plan.scratch_bytes(1, in));
    serial_executor serial;
    context<Isa, serial_executor> ctx{.executor = serial, .scratch = space.scratch()};
    model.forward(ctx, batch_of(x.data(), 1, in), batch_of(y.data(), 1, out));
}
template <class Model>
auto in_sequential(const Model& model) {
    return sequential<Model>(model);
}
template <class... Layers>
const auto& in_sequential(const sequential<Layers...>& model) {
    return model;
}

}  // namespace detail

/// What each matrix of weights of a model stores, how often a sample is multiplied by it, and how its weights are distributed, in
/// the order of map_weights. Counted by running a sample of zeros through the layers, with products that only count: whatever
/// layers there are. Takes a model; one in training counts as frozen. Tables whose rows are looked up have no products.
/// O(parameters).
template <class Model>
model_costs costs_of(const Model& model, std::size_t histogram_bins = 48) {
    static_assert(!is_result<Model>, "pare: costs_of() takes a model; look whether a result has one, and give it *result");
    std::deque<layer_cost> layers;
    detail::run_one<isa::native>(
        map_weights(detail::in_sequential(freeze(model)), detail::count_products<isa::native>{&layers, histogram_bins}));
    return {std::vector<layer_cost>(layers.begin(), layers.end()), summarize(model)};
}

PARE_NAMESPACE_END

#endif
