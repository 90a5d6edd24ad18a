// What PyTorch gave for the same numbers: losses, optimizers, masks and a linear layer, out of files of golden vectors.

#include <array>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <pare/pare.hpp>

#include "../catch.hpp"

using namespace pare;
using nlohmann::json;

namespace {

json cases(const std::string& file) {
    std::ifstream in(PARE_GOLDEN "/" + file);
    REQUIRE(in);
    return json::parse(in)["cases"];
}

template <class T = float>
std::vector<T> numbers(const json& c, const std::string& name) {
    return c["tensors"][name]["data"].get<std::vector<T>>();
}

template <class Range>
void check_close(const Range& found, const std::vector<float>& expected, double relative, double absolute) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(static_cast<double>(found[i]) == Approx(static_cast<double>(expected[i])).epsilon(relative).margin(absolute));
    }
}

/// Runs a loss(student, batch, gradient) on a case.
template <class Loss>
void check_loss(const json& c, const Loss& loss) {
    const auto student = numbers(c, "student");
    const std::size_t rows = c["tensors"]["student"]["shape"][0], columns = c["tensors"]["student"]["shape"][1];
    std::vector<float> gradient(student.size());
    const std::vector<std::int32_t> labels =
        c["tensors"].contains("label") ? numbers<std::int32_t>(c, "label") : std::vector<std::int32_t>(rows);
    const double value = loss(matrix_view<const float>(student.data(), rows, columns), minibatch{{}, labels},
                              matrix_view<float>(gradient.data(), rows, columns));
    CHECK(value == Approx(c["tensors"]["value"]["data"][0].get<double>()).epsilon(1e-5));
    check_close(gradient, numbers(c, "grad_student"), 1e-3, 1e-7);
}

void check_distillation(const json& c, const soft_targets& targets) {
    const auto teacher = numbers(c, "teacher");
    check_loss(c, [&](matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient) {
        return targets(student, batch, gradient, [&](std::size_t i) { return teacher.data() + i * student.columns; });
    });
}

template <class Optimizer>
void check_optimizer(const json& c, const Optimizer& optimizer) {
    auto w = numbers(c, "p0");
    std::array<std::vector<float>, Optimizer::slots> memory;
    std::array<float*, Optimizer::slots> slots;
    for (std::size_t s = 0; s < slots.size(); ++s) {
        memory[s].resize(w.size());
        slots[s] = memory[s].data();
    }
    for (std::size_t step = 1; step <= 5; ++step) {
        const auto g = numbers(c, sentence("grad", step - 1));
        optimizer.template update<isa::native>(w.size(), w.data(), g.data(), slots, step);
        check_close(w, numbers(c, sentence("p", step)), 1e-5, 1e-6);
    }
}

}  // namespace

TEST_CASE("losses are those of PyTorch") {
    std::set<std::string> seen;
    for (const auto& c : cases("losses.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        const auto& attr = c["attr"];
        if (name == "cross_entropy") {
            check_loss(c, cross_entropy{});
        } else if (name.starts_with("kl_divergence/T")) {
            check_distillation(c, {.temperature = attr["temperature"], .hard_weight = 0.0f});
        } else if (name.starts_with("distillation/")) {  // there alpha is the share of the soft part
            check_distillation(c, {.temperature = attr["temperature"], .hard_weight = 1.0f - attr["alpha"].get<float>()});
        } else {
            continue;
        }
        seen.insert(name);
    }
    CHECK(seen.size() == 8);
}

TEST_CASE("optimizers are those of PyTorch") {
    std::set<std::string> seen;
    for (const auto& c : cases("optimizers.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        if (name == "sgd" || name == "momentum") {
            check_optimizer(c, sgd{.learning_rate = c["attr"]["lr"], .momentum = c["attr"]["momentum"]});
        } else if (name == "adam") {
            check_optimizer(c, adam{.learning_rate = c["attr"]["lr"]});
        } else {
            continue;
        }
        seen.insert(name);
    }
    CHECK(seen.size() == 3);
}

TEST_CASE("magnitude masks are those of PyTorch") {
    std::size_t seen = 0;
    for (const auto& c : cases("prune.json")) {
        const std::string name = c["name"];
        if (!name.starts_with("l1_unstructured/0") || c["attr"].contains("rounds")) {
            continue;
        }
        CAPTURE(name);
        auto scores = numbers(c, "weight");
        for (float& s : scores) {
            s = magnitude{}(s);
        }
        const sparse_mask mask = unstructured{}.choose(scores, 6, 10, c["attr"]["amount"]);
        const auto expected = numbers<int>(c, "mask");
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CHECK(int{mask.keeps(i)} == expected[i]);
        }
        ++seen;
    }
    CHECK(seen == 5);
}

TEST_CASE("a dense layer is that of PyTorch") {
    for (const auto& c : cases("layers.json")) {
        if (c["name"] != "linear") {
            continue;
        }
        dense<13, 7> layer;
        std::ranges::copy(numbers(c, "p.weight"), layer.weights.values.begin());
        std::ranges::copy(numbers(c, "p.bias"), layer.bias.begin());
        const auto ready = prepare<isa::native>(sequential(layer));
        auto space = workspace_for(ready, 5);
        const auto x = numbers(c, "x");
        std::vector<float> y(35);
        run(ready, x, y, space);
        check_close(y, numbers(c, "y"), 1e-5, 1e-6);
        return;
    }
    FAIL("no case named linear");
}
