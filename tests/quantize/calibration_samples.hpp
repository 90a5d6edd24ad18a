#ifndef PARE_TESTS_CALIBRATION_SAMPLES_HPP
#define PARE_TESTS_CALIBRATION_SAMPLES_HPP

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn.hpp>
#include <pare/train/evaluate.hpp>

/// Samples of correlated numbers: each is a mixture of a few normal ones and a little noise of its own. Their targets mean nothing.
struct calibration_samples {
    std::size_t count;
    std::size_t inputs;
    std::size_t outputs;
    std::uint64_t stream = 0;
    float outlier = 1.0f;  // factor of input 1

    std::size_t size() const noexcept { return count; }
    std::size_t targets() const noexcept { return outputs; }
    pare::extents<pare::dyn> sample_shape() const noexcept { return pare::extents<pare::dyn>(inputs); }
    void fetch(std::span<const std::size_t> indices, float* x, float* t) const noexcept {
        constexpr std::size_t causes = 6;
        const pare::random_numbers mixture(pare::seed{31}, 0), cause(pare::seed{32}, stream), noise(pare::seed{33}, stream);
        for (const std::size_t i : indices) {
            for (std::size_t c = 0; c < inputs; ++c) {
                float sum = 0.3f * noise.normal(i * inputs + c);
                for (std::size_t k = 0; k < causes; ++k) {
                    sum += mixture.normal(c * causes + k) * cause.normal(i * causes + k);
                }
                *x++ = c == 1 ? sum * outlier : sum;
            }
            for (std::size_t j = 0; j < outputs; ++j) {
                *t++ = 0.0f;
            }
        }
    }
};

/// The float weights that quantized ones stand for.
struct real_weights {
    template <class Weights, class Activations>
    auto operator()(const pare::member_path&, const Weights& w, Activations) const {
        pare::weight_matrix<float, pare::full> real(w.rows(), w.columns());
        for (std::size_t i = 0; i < real.values.size(); ++i) {
            real.values[i] = w.real(i / w.columns(), i);
        }
        return pare::mapped_weights<pare::weight_matrix<float, pare::full>, pare::as_float>{std::move(real), {}};
    }
};

/// What a model gives for some data, with the kernels of its weights.
template <class Model, class Data>
std::vector<float> run_outputs_of(const Model& model, const Data& data) {
    std::vector<float> y;
    pare::serial_executor serial;
    const auto problem = run_over(
        pare::prepare<pare::isa::native>(model), data, serial,
        [&](std::size_t, const auto&, const auto& out) { y.insert(y.end(), out.data, out.data + out.rows * out.columns); });
    return problem ? std::vector<float>() : y;
}

inline double mean_squared_difference(const std::vector<float>& x, const std::vector<float>& y) {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += static_cast<double>(x[i] - y[i]) * static_cast<double>(x[i] - y[i]);
    }
    return sum / static_cast<double>(x.size());
}

/// The mean squared difference of the outputs of two models, both by float kernels with the numbers that their weights stand for:
/// those of quantized ones take long to compile.
template <class A, class B, class Data>
double output_error(const A& a, const B& b, const Data& data) {
    return mean_squared_difference(run_outputs_of(map_weights(a, real_weights{}), data),
                                   run_outputs_of(map_weights(b, real_weights{}), data));
}

#endif
