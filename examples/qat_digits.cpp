// Quantization-aware training of LeNet-5, to weights of 4 and of 2 bits:
//
//     qat_digits <directory of MNIST> <lenet5.safetensors> [--quick] [--threads N]
//
// The network is one that PyTorch has trained. What is counted are errors of the quantized network that comes out, which computes
// in bytes. --quick trains for one epoch on a sixth of the images.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <pare/core/thread_pool.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/io/model.hpp>
#include <pare/pare.hpp>

using namespace pare;

namespace {

using images = labeled_data<std::uint8_t, dyn, dyn>;

/// The beginning of a data set.
struct first_images {
    const images* all;
    std::size_t count;

    std::size_t size() const noexcept { return count; }
    std::size_t classes() const noexcept { return all->classes(); }
    const extents<dyn, dyn>& sample_shape() const noexcept { return all->sample_shape(); }
    std::int32_t label(std::size_t i) const noexcept { return all->label(i); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const noexcept {
        all->fetch(indices, inputs, labels);
    }
};

/// Trains a network that prepare_qat() gave, and says how many images the quantized one gets wrong.
template <class Model>
std::optional<error> train(const char* name, Model net, const first_images& data, const images& test, std::size_t epochs,
                           thread_pool& pool) {
    constexpr std::size_t batch = 64;
    const std::size_t steps = epochs * ((data.size() + batch - 1) / batch);
    const qat_freezing settled{.ranges_at_step = steps / 2};  // what is trained last is what will run
    const auto report = fit(net, data, cross_entropy{}, scheduled(adam{.learning_rate = 5e-4f}, cosine_decay{.steps = steps}),
                            {.epochs = epochs, .batch_size = batch}, settled, progress_bar(name), pool);
    if (!report) {
        return report.error();
    }
    const auto small = convert(net);
    const auto errors = count_errors(small, test, pool);
    if (!errors) {
        return errors.error();
    }
    std::printf("%s: %zu of %zu test images wrong\n", name, *errors, test.size());
    return std::nullopt;
}

}  // namespace

int main(int count, char** arguments) {
    bool quick = false;
    std::size_t threads = 2;
    std::string paths[2] = {".", "lenet5.safetensors"};
    for (int i = 1, path = 0; i < count; ++i) {
        if (std::strcmp(arguments[i], "--quick") == 0) {
            quick = true;
        } else if (std::strcmp(arguments[i], "--threads") == 0 && i + 1 < count) {
            threads = std::strtoul(arguments[++i], nullptr, 10);
        } else if (path < 2) {
            paths[path++] = arguments[i];
        }
    }
    const auto fail = [](const error& problem) {
        std::fprintf(stderr, "%s\n", problem.message.c_str());
        return 1;
    };
    const auto load_images = [&](const char* part) {
        return io::load_mnist(paths[0], part, [](const std::string& path) { return io::read_gzip_file(path); });
    };
    const auto all = load_images("train"), test = load_images("t10k");
    if (!all || !test) {
        return fail(all ? test.error() : all.error());
    }
    auto lenet = sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(), max_pool2d<2>(),
                            flatten(), dense<800, 500>(), relu(), dense<500, 10>());
    if (const auto problem = load(lenet, paths[1])) {
        return fail(*problem);
    }
    thread_pool pool(threads);
    const auto before = count_errors(lenet, *test, pool);
    if (!before) {
        return fail(before.error());
    }
    std::printf("float: %zu of %zu test images wrong\n", *before, test->size());

    const first_images data{&*all, quick ? all->size() / 6 : all->size()};
    const std::size_t epochs = quick ? 1 : 3;
    constexpr weight_policy four_bits{.bits = 4, .step = step_size::learned};
    constexpr weight_policy two_bits{.bits = 2, .step = step_size::learned};
    constexpr input_policy nibbles{.bits = 4};
    if (const auto problem =
            train("4-bit weights and activations", prepare_qat<four_bits, nibbles>(lenet), data, *test, epochs, pool)) {
        return fail(*problem);
    }
    if (const auto problem = train("2-bit weights, 8-bit activations", prepare_qat<two_bits>(lenet), data, *test, epochs, pool)) {
        return fail(*problem);
    }
    return 0;
}
