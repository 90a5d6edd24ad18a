// PyTorch's networks as bytes, calibrated with 500 images that they were trained with: at most 10 more errors in 10,000.

#include <cstdio>
#include <fstream>

#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/io/model.hpp>
#include <pare/pare.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

auto mnist(const char* part) {
    return io::load_mnist(PARE_MNIST, part, [](const std::string& path) { return io::read_gzip_file(path); }).value();
}

/// The first samples of a data set.
template <class Data>
struct first_of {
    const Data& data;
    std::size_t count;

    std::size_t size() const { return count; }
    std::size_t classes() const { return data.classes(); }
    auto sample_shape() const { return data.sample_shape(); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const {
        data.fetch(indices, inputs, labels);
    }
};

template <class Model>
void check_static(const std::string& name, Model model) {
    const std::string models = PARE_MODELS;
    REQUIRE_FALSE(load(model, models + "/" + name + ".safetensors"));
    static const auto training = mnist("train");
    static const auto images = mnist("t10k");
    const auto quantized = quantize_static(model, first_of<decltype(training)>{training, 500});
    REQUIRE(quantized);
    std::ifstream file(models + "/figures.json");
    const std::size_t of_floats = nlohmann::json::parse(file)["models"][name]["errors_of_10000"];
    const std::size_t of_bytes = count_errors(*quantized, images).value();
    INFO(name << ": " << of_floats << " errors with floats, " << of_bytes << " with bytes");
    CHECK(of_bytes <= of_floats + 10);

    // The model is a value: it comes out of a file as it went in.
    const std::string path = name + ".static.safetensors";
    REQUIRE_FALSE(save(*quantized, path));
    auto loaded = *quantized;
    for_each_member(loaded, [](const member_path&, auto& member) {
        if constexpr (std::is_same_v<std::remove_reference_t<decltype(member)>, static_range>) {
            member = {};
        }
    });
    REQUIRE_FALSE(load(loaded, path));
    std::remove(path.c_str());
    CHECK(count_errors(loaded, images).value() == of_bytes);
}

}  // namespace

TEST_CASE("LeNet-300-100 as bytes makes about the errors of floats") {
    check_static("lenet_300_100", sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()));
}

TEST_CASE("LeNet-5 as bytes makes about the errors of floats") {
    check_static("lenet5", sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(), max_pool2d<2>(),
                                      flatten(), dense<800, 500>(), relu(), dense<500, 10>()));
}
