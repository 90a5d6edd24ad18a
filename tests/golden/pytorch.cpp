// What PyTorch gave for the same numbers: losses, optimizers, masks and a linear layer, out of files of golden vectors.

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <pare/pare.hpp>

#include "golden.hpp"

using namespace pare;
using nlohmann::json;

namespace {

/// Runs a loss(student, batch, gradient) on a case; Batch is what the loss takes.
template <class Batch = minibatch, class Loss>
void check_loss(const json& c, const Loss& loss) {
    const auto student = golden_numbers(c, "student");
    const std::size_t rows = c["tensors"]["student"]["shape"][0], columns = c["tensors"]["student"]["shape"][1];
    std::vector<float> gradient(student.size()), targets;
    std::vector<std::int32_t> labels(rows);
    Batch batch;
    if constexpr (requires { batch.labels; }) {
        if (c["tensors"].contains("label")) {
            labels = golden_numbers<std::int32_t>(c, "label");
        }
        batch.labels = labels;
    } else {
        targets = golden_numbers(c, "teacher");
        batch.targets = {targets.data(), rows, columns};
    }
    const double value =
        loss(matrix_view<const float>(student.data(), rows, columns), batch, matrix_view<float>(gradient.data(), rows, columns));
    CHECK(value == Approx(c["tensors"]["value"]["data"][0].get<double>()).epsilon(1e-5).margin(1e-7));
    check_close(gradient, golden_numbers(c, "grad_student"), 1e-3, 1e-7);
}

void check_distillation(const json& c, const soft_targets& targets) {
    const auto teacher = golden_numbers(c, "teacher");
    check_loss(c, [&](matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient) {
        return targets(student, {teacher.data(), student.rows, student.columns}, batch, gradient);
    });
}

template <class Optimizer>
void check_optimizer(const json& c, const Optimizer& optimizer) {
    auto w = golden_numbers(c, "p0");
    std::array<std::vector<float>, Optimizer::slots> memory;
    std::array<float*, Optimizer::slots> slots;
    for (std::size_t s = 0; s < slots.size(); ++s) {
        memory[s].resize(w.size());
        slots[s] = memory[s].data();
    }
    for (std::size_t step = 1; c["tensors"].contains(sentence("p", step)); ++step) {
        const auto g = golden_numbers(c, sentence("grad", step - 1));
        optimizer.template update<isa::native>(w.size(), w.data(), g.data(), slots, step);
        check_close(w, golden_numbers(c, sentence("p", step)), 1e-5, 1e-6);
    }
}

}  // namespace

TEST_CASE("losses are those of PyTorch") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("losses.json")) {
        const std::string name = c["name"], kind = golden_kind(c);
        CAPTURE(name);
        const auto& attr = c["attr"];
        ++seen;
        if (kind == "cross_entropy") {
            check_loss(c, cross_entropy{attr.value("label_smoothing", 0.0f)});
        } else if (kind == "kl_divergence" && attr.contains("temperature")) {
            check_distillation(c, {.temperature = attr["temperature"], .hard_weight = 0.0f});
            check_loss<target_batch>(c, kl_divergence{.temperature = attr["temperature"]});
        } else if (kind == "kl_divergence") {
            check_loss<target_batch>(c, kl_divergence{.temperature = attr["temperature_student"],
                                                      .target_temperature = attr["temperature_teacher"].get<float>(),
                                                      .mean = attr["reduction"] == "mean" ? kl_divergence::mean_over::numbers
                                                                                          : kl_divergence::mean_over::rows});
        } else if (kind == "distillation") {  // there alpha is the share of the soft part
            check_distillation(c, {.temperature = attr["temperature"], .hard_weight = 1.0f - attr["alpha"].get<float>()});
        } else if (kind == "mse") {
            check_loss<target_batch>(c, mean_squared_error{});
        } else if (kind == "smooth_l1") {
            check_loss<target_batch>(c, smooth_l1{attr.value("beta", 1.0f)});
        } else if (kind == "cosine") {
            check_loss<target_batch>(c, cosine_embedding{});
        } else if (kind == "bce_with_logits") {
            check_loss<target_batch>(c, binary_cross_entropy{});
        } else {
            FAIL_CHECK("a loss that is not known here");
        }
    }
    CHECK(seen > 0);
}

TEST_CASE("optimizers are those of PyTorch") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("optimizers.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        const auto& attr = c["attr"];
        const float rate = attr["lr"], decay = attr["weight_decay"];
        ++seen;
        if (attr.contains("nesterov")) {
            check_optimizer(
                c, sgd{.learning_rate = rate, .momentum = attr["momentum"], .weight_decay = decay, .nesterov = attr["nesterov"]});
        } else if (attr.contains("alpha")) {
            check_optimizer(c, rmsprop{.learning_rate = rate,
                                       .alpha = attr["alpha"],
                                       .epsilon = attr["eps"],
                                       .weight_decay = decay,
                                       .momentum = attr["momentum"]});
        } else if (attr["decoupled_weight_decay"]) {
            check_optimizer(c, adamw{.learning_rate = rate, .epsilon = attr["eps"], .weight_decay = decay});
        } else {
            check_optimizer(c, adam{.learning_rate = rate, .epsilon = attr["eps"], .weight_decay = decay});
        }
    }
    CHECK(seen > 0);
}

TEST_CASE("a dense layer is that of PyTorch") {
    for (const auto& c : golden_cases("layers.json")) {
        if (c["name"] != "linear") {
            continue;
        }
        dense<13, 7> layer;
        std::ranges::copy(golden_numbers(c, "p.weight"), layer.weights.values.begin());
        std::ranges::copy(golden_numbers(c, "p.bias"), layer.bias.begin());
        const auto ready = prepare<isa::native>(sequential(layer));
        auto space = workspace_for(ready, 5);
        const auto x = golden_numbers(c, "x");
        std::vector<float> y(35);
        run(ready, x, y, space);
        check_close(y, golden_numbers(c, "y"), 1e-5, 1e-6);
        return;
    }
    FAIL("no case named linear");
}
