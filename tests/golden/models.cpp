// Networks that PyTorch trained on MNIST: they load, give PyTorch's logits and make its errors, no more and no fewer.

#include <cmath>
#include <fstream>

#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/io/model.hpp>
#include <pare/pare.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

const std::string models = PARE_MODELS;

/// Loads a network and compares it with PyTorch's.
template <class Model>
void check_model(const std::string& name, Model model, const io::state_names& names = {}) {
    const auto problem = load(model, models + "/" + name + ".safetensors", names);
    INFO(name << ": " << (problem ? problem->message : std::string()));
    REQUIRE_FALSE(problem);
    const auto ready = prepare<isa::native>(model);

    const auto check = io::safetensors::read(models + "/" + name + ".check.safetensors");
    REQUIRE(check);
    const auto numbers = [&](const char* tensor) {
        const auto* const t = check->find(tensor);
        REQUIRE(t != nullptr);
        std::vector<float> values(t->data.size() / sizeof(float));
        std::memcpy(values.data(), t->data.data(), t->data.size());
        return values;
    };
    const auto x = numbers("input");
    const auto expected = numbers("logits");
    std::vector<float> y(expected.size());
    auto space = workspace_for(ready, x.size() / ready.input_size());
    run(ready, x, y, space);
    float furthest = 0.0f;
    for (std::size_t i = 0; i < y.size(); ++i) {
        furthest = (std::max)(furthest, std::fabs(y[i] - expected[i]));
    }
    CHECK(furthest <= 1e-4f);

    std::ifstream file(models + "/figures.json");
    REQUIRE(file);
    const auto figures = nlohmann::json::parse(file)["models"][name];
    CHECK(summarize(model).parameters == figures["parameters"].get<std::size_t>());
    const auto images = io::load_mnist(PARE_MNIST, "t10k", [](const std::string& path) { return io::read_gzip_file(path); });
    REQUIRE(images);
    const auto errors = figures["errors_of_10000"].get<std::size_t>();
    CHECK(count_errors(ready, *images).value() == errors);
    CHECK(count_errors(quantize_dynamic(model), *images).value() <= errors + 5);
}

}  // namespace

TEST_CASE("PyTorch's LeNet-300-100 gives PyTorch's logits and errors") {
    check_model("lenet_300_100", sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()));
}

TEST_CASE("PyTorch's LeNet-5 gives PyTorch's logits and errors") {
    check_model("lenet5", sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(), max_pool2d<2>(),
                                     flatten(), dense<800, 500>(), relu(), dense<500, 10>()));
}

TEST_CASE("PyTorch's LSTM over the rows of an image gives PyTorch's logits and errors") {
    check_model("lstm_rows", sequential(input<28, 28>(), lstm<28, 128>(), last_step(), dense<128, 10>()),
                {{{"0.", "lstm."}, {"2.", "fc."}}});
}
