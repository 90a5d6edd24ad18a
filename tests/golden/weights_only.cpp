// Networks that PyTorch trained on MNIST, with weights of 4 bits: GPTQ comes closer to the float logits than rounding does.

#include <cmath>

#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/io/model.hpp>
#include <pare/nn.hpp>
#include <pare/quantize/gptq.hpp>
#include <pare/quantize/weights_only.hpp>

#include "../catch.hpp"
#include "../quantize/calibration_samples.hpp"

using namespace pare;

namespace {

/// Samples [first, first + count) of another data set.
template <class Data>
struct part {
    const Data* all;
    std::size_t first;
    std::size_t count;

    std::size_t size() const noexcept { return count; }
    std::size_t classes() const noexcept { return all->classes(); }
    auto sample_shape() const noexcept { return all->sample_shape(); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const noexcept {
        for (std::size_t i : indices) {
            i += first;
            all->fetch(std::span<const std::size_t>(&i, 1), inputs, labels++);
            inputs += all->sample_shape().size();
        }
    }
};

const auto& images() {
    static const auto all = io::load_mnist(PARE_MNIST, "t10k", [](const std::string& path) { return io::read_gzip_file(path); });
    REQUIRE(all);
    return *all;
}

/// Outputs for the whole test set, and how many errors are in them; by float kernels with the numbers that codes stand for.
template <class Model>
std::pair<std::vector<float>, std::size_t> outputs(const Model& quantized) {
    const auto model = map_weights(quantized, real_weights{});
    std::pair<std::vector<float>, std::size_t> out;
    serial_executor serial;
    const auto problem = run_over(prepare<isa::native>(model), images(), serial, [&](std::size_t, const minibatch& batch, auto y) {
        out.first.insert(out.first.end(), y.data, y.data + y.rows * y.columns);
        for (std::size_t i = 0; i < y.rows; ++i) {
            out.second += detail::rank_of_label(y.row(i), y.columns, static_cast<std::size_t>(batch.labels[i])) != 0 ? 1u : 0u;
        }
    });
    REQUIRE_FALSE(problem);
    return out;
}

/// GPTQ, calibrated on 256 images, against rounding to nearest: the quotient of their mean squared differences from the float
/// logits.
template <class Model>
void check_model(const std::string& name, Model model, double factor, std::size_t most_more_errors,
                 const io::state_names& names = {}) {
    REQUIRE_FALSE(load(model, std::string(PARE_MODELS) + "/" + name + ".safetensors", names));
    const auto exact = outputs(model);
    const auto rounded = outputs(*quantize_weights_only<qint4<64>>(model));
    const auto gptq4 = outputs(*gptq<qint4<64>>(model, part<std::remove_cvref_t<decltype(images())>>{&images(), 0, 256}));
    const double rounded_difference = mean_squared_difference(rounded.first, exact.first);
    const double gptq_difference = mean_squared_difference(gptq4.first, exact.first);
    CHECK(gptq_difference * factor <= rounded_difference);
    CHECK(gptq4.second <= exact.second + most_more_errors);
    CHECK(rounded.second <= exact.second + most_more_errors);
}

}  // namespace

TEST_CASE("LeNet-300-100 with 4-bit weights") {
    check_model("lenet_300_100",
                sequential(dense<dyn, dyn>(784, 300), relu(), dense<dyn, dyn>(300, 100), relu(), dense<dyn, dyn>(100, 10)), 3.0,
                10);
}

TEST_CASE("LeNet-5 with 4-bit weights") {
    check_model("lenet5",
                sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(), max_pool2d<2>(), flatten(),
                           dense<dyn, dyn>(800, 500), relu(), dense<dyn, dyn>(500, 10)),
                8.0, 10);
}

TEST_CASE("an LSTM over the rows of an image with 4-bit weights") {
    check_model("lstm_rows", sequential(input<28, 28>(), lstm<28, 128>(), last_step(), dense<dyn, dyn>(128, 10)), 4.0, 10,
                {{{"0.", "lstm."}, {"2.", "fc."}}});
}
