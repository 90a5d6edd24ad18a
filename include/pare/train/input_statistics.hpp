#ifndef PARE_TRAIN_INPUT_STATISTICS_HPP
#define PARE_TRAIN_INPUT_STATISTICS_HPP

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <pare/kernels/packed_conv.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/train/evaluate.hpp>

PARE_NAMESPACE_BEGIN

/// What rows of inputs a matrix of weights was multiplied by: n of them, each x [columns].
class input_statistics {
public:
    explicit input_statistics(std::size_t columns, bool with_second_moments)
        : columns_(columns),
          magnitudes_(columns, 0.0f),
          sums_(columns, 0.0),
          magnitude_sums_(columns, 0.0),
          square_sums_(columns, 0.0),
          second_moments_(with_second_moments ? columns * columns : 0, 0.0) {}

    std::size_t columns() const noexcept { return columns_; }
    /// n.
    std::size_t rows() const noexcept { return rows_; }
    /// The largest |x|, column by column.
    const std::vector<float>& magnitudes() const noexcept { return magnitudes_; }
    /// The mean of x, or of |x|.
    double mean(std::size_t column) const noexcept { return sums_[column] / static_cast<double>(rows_); }
    double mean_magnitude(std::size_t column) const noexcept { return magnitude_sums_[column] / static_cast<double>(rows_); }
    /// The sum of x^2.
    double sum_of_squares(std::size_t column) const noexcept { return square_sums_[column]; }
    /// The sum of x x^T, [columns, columns], where it was asked for.
    const std::vector<double>& second_moments() const noexcept { return second_moments_; }

    bool is_finite() const noexcept {
        return std::all_of(sums_.begin(), sums_.end(), [](double s) { return pare::is_finite(static_cast<float>(s)); }) &&
               std::all_of(second_moments_.begin(), second_moments_.end(),
                           [](double s) { return pare::is_finite(static_cast<float>(s)); });
    }

    /// Takes rows, of which it keeps some until their products are worth a pass over all second moments.
    template <class Isa>
    void add(const matrix_view<const float>& x) {
        for (std::size_t r = 0; r < x.rows; ++r) {
            const float* const row = x.row(r);
            for (std::size_t c = 0; c < columns_; ++c) {
                const float size = row[c] < 0.0f ? -row[c] : row[c];
                magnitudes_[c] = size > magnitudes_[c] ? size : magnitudes_[c];
                sums_[c] += static_cast<double>(row[c]);
                magnitude_sums_[c] += static_cast<double>(size);
                square_sums_[c] += static_cast<double>(size) * static_cast<double>(size);
            }
            if (!second_moments_.empty()) {
                kept_.insert(kept_.end(), row, row + columns_);
                if (kept_.size() == kept_rows * columns_) {
                    finish<Isa>();
                }
            }
        }
        rows_ += x.rows;
    }
    /// Adds what was kept.
    template <class Isa>
    void finish() {
        const std::size_t rows = kept_.size() / (columns_ == 0 ? 1 : columns_);
        if (rows == 0) {
            return;
        }
        std::vector<float> products(columns_ * columns_);
        workspace space(kernels::gemm_f32_scratch_bytes<Isa>(columns_, rows));
        serial_executor serial;
        kernels::gemm_f32<Isa>(serial, space.scratch(), columns_, columns_, rows, {kept_.data(), 1, columns_},
                               {kept_.data(), columns_, 1}, kernels::epilogue<float>(products.data(), columns_));
        for (std::size_t i = 0; i < products.size(); ++i) {
            second_moments_[i] += static_cast<double>(products[i]);
        }
        kept_.clear();
    }

private:
    static constexpr std::size_t kept_rows = 256;

    std::size_t columns_;
    std::size_t rows_ = 0;
    std::vector<float> magnitudes_;
    std::vector<double> sums_;
    std::vector<double> magnitude_sums_;
    std::vector<double> square_sums_;
    std::vector<double> second_moments_;
    std::vector<float> kept_;
};

namespace detail {

/// The inputs of one storage of weights, which of them see what: those of output j are groups[j / (outputs / groups)], of which a
/// convolution may have several.
struct storage_inputs {
    const void* weights;
    const weight_matrix<float, full>* full_weights;  // the same, where they are
    std::string name;
    std::vector<input_statistics> groups;

    const input_statistics& of_output(std::size_t j, std::size_t outputs) const noexcept {
        return groups[j / (outputs / groups.size())];
    }
};

/// The inputs of all weights of a model; which weights, by their address or by their name.
class model_inputs {
public:
    const storage_inputs* find(const void* weights) const noexcept {
        for (const auto& s : storages_) {
            if (s->weights == weights) {
                return s.get();
            }
        }
        return nullptr;
    }
    const storage_inputs* find(const std::string& name) const noexcept {
        for (const auto& s : storages_) {
            if (s->name == name) {
                return s.get();
            }
        }
        return nullptr;
    }
    template <class Weights>
    storage_inputs* add(const Weights& w, std::string name, std::size_t groups, bool second_moments) {
        const weight_matrix<float, full>* full_weights = nullptr;
        if constexpr (std::is_same_v<Weights, weight_matrix<float, full>>) {
            full_weights = &w;
        }
        const std::vector<input_statistics> nothing(groups, input_statistics(w.columns(), second_moments));
        return storages_.emplace_back(std::make_unique<storage_inputs>(storage_inputs{&w, full_weights, std::move(name), nothing}))
            .get();
    }
    const std::vector<std::unique_ptr<storage_inputs>>& storages() const noexcept { return storages_; }

private:
    std::vector<std::unique_ptr<storage_inputs>> storages_;  // whose places stay
};

/// Weights that tell what they are multiplied by: while a model calibrates, in place of its own.
template <class Weights>
struct observed {};

}  // namespace detail

template <class Weights, class Isa>
class packed<detail::observed<Weights>, Isa> {
    using inner = packed<Weights, Isa>;

public:
    packed(const Weights& w, detail::storage_inputs* inputs) : inner_(w), inputs_(inputs) {}

    std::size_t rows() const noexcept { return inner_.rows(); }
    std::size_t columns() const noexcept { return inner_.columns(); }
    std::size_t bytes() const noexcept { return inner_.bytes(); }
    std::string describe() const { return inner_.describe(); }
    static constexpr std::size_t scratch_bytes(as_float a, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return inner::scratch_bytes(a, batch, rows, columns);
    }

    template <class Context, class... Stages>
    void multiply(as_float a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        inputs_->groups[0].template add<Isa>(x);
        inner_.multiply(a, ctx, x, y, stages...);
    }

private:
    inner inner_;
    detail::storage_inputs* inputs_;
};

template <class Weights, class Isa>
class packed_convolution<detail::observed<Weights>, Isa> {
    using inner = packed_convolution<Weights, Isa>;

public:
    packed_convolution(const Weights& w, const kernels::convolution& s, detail::storage_inputs* inputs)
        : inner_(w, s), inputs_(inputs) {}

    std::size_t rows() const noexcept { return inner_.rows(); }
    std::size_t columns() const noexcept { return inner_.columns(); }
    std::size_t bytes() const noexcept { return inner_.bytes(); }
    std::string describe() const { return inner_.describe(); }
    static constexpr std::size_t scratch_bytes(as_float a, const kernels::convolution& s) noexcept {
        return inner::scratch_bytes(a, s);
    }

    template <class Executor, class... Stages>
    void convolve(as_float a, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  Stages... stages) const noexcept {
        const std::size_t most = kernels::patch_rows(s);
        std::vector<float> patches(most * s.kernel_size());
        for (std::size_t g = 0; g < s.groups; ++g) {
            for (std::size_t first = 0; first < s.output_pixels(); first += most) {
                const std::size_t pixels = (std::min)(most, s.output_pixels() - first);
                kernels::copy_patches<Isa>(s, x, g, first, pixels, patches.data());
                inputs_->groups[g].template add<Isa>(matrix_view<const float>(patches.data(), pixels, s.kernel_size()));
            }
        }
        inner_.convolve(a, executor, scratch, s, x, y, stages...);
    }

private:
    inner inner_;
    detail::storage_inputs* inputs_;
};

namespace detail {

template <class Isa>
struct observe_weights {
    model_inputs* into;
    bool second_moments;

    template <class Layout>
    auto operator()(const member_path& path, const weight_matrix<float, Layout>& w, as_float a) const {
        using made = packed<observed<weight_matrix<float, Layout>>, Isa>;
        return mapped_weights<made, as_float>{made(w, into->add(w, path.text(), 1, second_moments)), a};
    }
    template <class Layout>
    auto operator()(const member_path& path, const weight_matrix<float, Layout>& w, as_float a,
                    const kernels::convolution& s) const {
        using made = packed_convolution<observed<weight_matrix<float, Layout>>, Isa>;
        return mapped_weights<made, as_float>{made(w, s, into->add(w, path.text(), s.groups, second_moments)), a};
    }
    template <class Weights>
    auto operator()(const member_path&, const Weights& w, as_float a, looked_up) const {
        return mapped_weights<Weights, as_float>{w, a};
    }
    template <class Weights, class Activations, class... Structure>
    auto operator()(const member_path&, const Weights& w, Activations, const Structure&...) const {
        static_assert(
            std::is_same_v<Weights, void>,
            "pare: calibration takes a model of float weights: one in training must be frozen first with freeze(), one that "
            "is quantized cannot be quantized again");
        using made = packed<observed<weight_matrix<float, full>>, Isa>;  // so that the sentence above is the only error
        return mapped_weights<made, as_float>{made(weight_matrix<float, full>(w.rows(), w.columns()), nullptr), {}};
    }
};

/// Runs a float model over a data set and remembers what each of its weights was multiplied by. `who` begins errors: a data set
/// without samples, one that does not fit the model, inputs of a layer or outputs of the model that are NaN or infinite. Second
/// moments take 8 columns^2 bytes for each storage and 2 columns^2 operations per row.
template <class Isa, class Model, dataset Data>
std::optional<error> observe_inputs(const char* who, const Model& model, const Data& data, bool second_moments,
                                    model_inputs& inputs) {
    const auto fail = [&](const std::string& what) { return error{error_code::invalid_data, sentence(who, ": ", what)}; };
    if (data.size() == 0) {
        return fail("expected samples to calibrate with, found none");
    }
    auto watched = pare::map_weights(model, observe_weights<Isa>{&inputs, second_moments});
    const prepared<Isa, decltype(watched)> ready(std::move(watched));
    serial_executor serial;
    bool finite = true;
    auto problem = run_over(ready, data, serial, [&](std::size_t, const auto&, const matrix_view<const float>& y) {
        finite = finite && std::all_of(y.data, y.data + y.rows * y.columns, [](float v) { return is_finite(v); });
    });
    for (const auto& s : inputs.storages()) {
        for (input_statistics& g : s->groups) {
            g.template finish<Isa>();
            if (!g.is_finite() && !problem) {
                problem = fail(sentence(s->name,
                                        ": expected finite inputs while calibrating, found NaN, an infinity, or numbers whose "
                                        "squares overflow"));
            }
        }
    }
    if (!finite && !problem) {
        problem = fail("expected finite outputs of the model while calibrating, found NaN or an infinity");
    }
    return problem;
}

/// What `quantized` makes once the second moments of a model's inputs are known, or the first problem: the one that was there
/// before, that of the data, or the one that `quantized` leaves in `problem`.
template <class Isa, class Model, dataset Data, class Quantized>
auto after_calibration(const char* who, const Model& model, const Data& data, model_inputs& inputs, std::optional<error>& problem,
                       const Quantized& quantized) {
    using made = result<decltype(quantized())>;
    if (!problem) {
        problem = observe_inputs<Isa>(who, model, data, true, inputs);
    }
    if (problem) {
        return made(*std::move(problem));
    }
    auto model_of_codes = quantized();
    return problem ? made(*std::move(problem)) : made(std::move(model_of_codes));
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
