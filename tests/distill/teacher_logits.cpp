#include <pare/distill.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

const auto net = initialized(sequential(dense<dyn, dyn>(2, 16), relu(), dense<dyn, dyn>(16, 4)), he_normal{}, seed{1});

std::vector<float> row(const teacher_logits& logits, std::size_t i) {
    std::vector<float> out(logits.classes());
    logits.read(i, out.data());
    return out;
}

std::vector<float> probabilities(std::vector<float> x) {
    std::vector<float> p(x.size());
    detail::softmax_with_temperature(x.data(), x.size(), 1.0f, p.data());
    return p;
}

}  // namespace

TEST_CASE("logits are those of the teacher, whatever it is") {
    const auto data = quarters(300);
    const auto ready = prepare<isa::native>(net);
    workspace space(ready.workspace_bytes(1));
    const auto of_model = *teacher_logits::make(net, data);
    CHECK(of_model.samples() == 300);
    CHECK(of_model.classes() == 4);
    CHECK(of_model.bytes() == 300 * 4 * sizeof(float));
    for (const std::size_t i : {0u, 255u, 256u, 299u}) {
        std::vector<float> expected(4);
        run(ready, std::span<const float>(data.sample(i).data(), 2), expected, space);
        CHECK(row(of_model, i) == expected);
    }
    CHECK(row(*teacher_logits::make(ready, data), 299) == row(of_model, 299));
    const auto half_of_sum = callable_teacher{[](std::span<const float> x, matrix_view<float> y) {
                                                  for (std::size_t i = 0; i < y.rows; ++i) {
                                                      y(i, 0) = (x[2 * i] + x[2 * i + 1]) / 2.0f;
                                                      y(i, 1) = 1.0f;
                                                  }
                                              },
                                              2};
    const auto of_callable = *teacher_logits::make(half_of_sum, data);
    CHECK(row(of_callable, 280) == std::vector<float>{(data.sample(280)[0] + data.sample(280)[1]) / 2.0f, 1.0f});
}

TEST_CASE("logits in fewer bytes are nearly the same") {
    const auto data = quarters(50);
    const auto exact = *teacher_logits::make(net, data);
    const auto half = *teacher_logits::make(net, data, {.form = logit_form::float16});
    CHECK(half.bytes() == 50 * 4 * 2);
    const auto all = *teacher_logits::make(net, data, {.form = logit_form::top_k, .k = 9});
    const auto two = *teacher_logits::make(net, data, {.form = logit_form::top_k, .k = 2});
    CHECK(two.bytes() == 50 * (2 * 4 + 12));
    for (std::size_t i = 0; i < 50; ++i) {
        const auto x = row(exact, i);
        const float range = *std::max_element(x.begin(), x.end()) - *std::min_element(x.begin(), x.end());
        const auto p = probabilities(x), q = probabilities(row(two, i));
        float most = 0.0f, second = 0.0f;
        for (std::size_t j = 0; j < 4; ++j) {
            CHECK(row(half, i)[j] == float{float16(x[j])});
            CHECK(std::fabs(row(all, i)[j] - x[j]) <= range / 255.0f * 0.501f + 1e-6f);
            if (p[j] > most) {
                second = most;
                most = p[j];
            } else {
                second = (std::max)(second, p[j]);
            }
        }
        // The two largest keep their probabilities, and so does the rest of them together.
        auto sorted = q;
        std::sort(sorted.begin(), sorted.end());
        CHECK(sorted[3] == Approx(most).margin(1e-5));
        CHECK(sorted[2] == Approx(second).margin(1e-5));
        CHECK(sorted[1] == Approx(sorted[0]).margin(1e-6));
    }
}

TEST_CASE("the bytes of the largest logits are within half a step, and no probability changes by more than that says") {
    constexpr std::size_t classes = 40, samples = 25;
    const auto x = [](std::size_t i, std::size_t j) {  // also large ones that are close, far apart, and equal
        const float offset = i % 3 == 0 ? 1e4f : 0.0f, size = i % 5 == 0 ? 1000.0f : i % 5 == 1 ? 0.0f : 3.0f;
        return offset + size * random_numbers(seed{5}, i).normal(j);
    };
    aligned_array<float> inputs(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        inputs[i] = static_cast<float>(i);
    }
    const auto data =
        *labeled_data<float, 1>::make("numbers", {}, classes, std::move(inputs), std::vector<std::int32_t>(samples, 0));
    const callable_teacher teacher{[&](std::span<const float> in, matrix_view<float> y) {
                                       for (std::size_t i = 0; i < y.rows; ++i) {
                                           for (std::size_t j = 0; j < classes; ++j) {
                                               y(i, j) = x(static_cast<std::size_t>(in[i]), j);
                                           }
                                       }
                                   },
                                   classes};
    for (const std::size_t k : {1u, 2u, 7u, 39u, 40u}) {
        const auto logits = *teacher_logits::make(teacher, data, {.form = logit_form::top_k, .k = k});
        for (std::size_t i = 0; i < samples; ++i) {
            CAPTURE(k, i);
            std::vector<float> exact(classes);
            for (std::size_t j = 0; j < classes; ++j) {
                exact[j] = x(i, j);
            }
            const auto kept = row(logits, i);
            auto sorted = exact;
            std::sort(sorted.rbegin(), sorted.rend());
            const double e = (static_cast<double>(sorted[0]) - static_cast<double>(sorted[k - 1])) / 510.0;
            const double ulp = std::fabs(static_cast<double>(sorted[0])) * 0x1p-22 + e * 0x1p-14;
            const auto p = probabilities(exact), q = probabilities(kept);
            std::size_t near = 0;
            for (std::size_t j = 0; j < classes; ++j) {
                if (exact[j] >= sorted[k - 1]) {
                    near += std::fabs(static_cast<double>(kept[j]) - static_cast<double>(exact[j])) <= e + ulp ? 1u : 0u;
                    const double low = static_cast<double>(p[j]) * std::exp(-2.0 * (e + ulp)) * 0.99999 - 1e-37;
                    CHECK((i % 5 == 1 ||
                           (static_cast<double>(q[j]) >= low &&
                            static_cast<double>(q[j]) <= static_cast<double>(p[j]) * std::exp(2.0 * (e + ulp)) * 1.00001 + 1e-37)));
                }
                CHECK(std::isfinite(kept[j]));  // also where the others have, beside the largest, no probability at all
            }
            CHECK(near >= k);
        }
    }
}

TEST_CASE("logits that a form cannot hold are an error") {
    const auto data = quarters(3);
    const auto large = callable_teacher{[](std::span<const float>, matrix_view<float> y) {
                                            std::fill(y.data, y.data + y.rows * y.columns, 0.0f);
                                            y(1, 1) = -65520.0f;
                                        },
                                        2};
    CHECK(teacher_logits::make(large, data));
    CHECK(teacher_logits::make(large, data, {.form = logit_form::top_k}));
    CHECK(teacher_logits::make(large, data, {.form = logit_form::float16}).error().message ==
          "teacher_logits: expected finite logits below 65520, where float16 ends, found -65520 in those of sample 1");
}

TEST_CASE("several teachers are the mean of their logits") {
    const auto data = quarters(20);
    const auto other = initialized(net, he_normal{}, seed{2});
    const auto a = *teacher_logits::make(net, data), b = *teacher_logits::make(other, data);
    const auto mean = *teacher_logits::average({&a, &b});
    const auto weighted = *teacher_logits::average({&a, &b}, {3.0f, 1.0f});
    for (std::size_t j = 0; j < 4; ++j) {
        CHECK(row(mean, 7)[j] == Approx((row(a, 7)[j] + row(b, 7)[j]) / 2.0f));
        CHECK(row(weighted, 7)[j] == Approx(0.75f * row(a, 7)[j] + 0.25f * row(b, 7)[j]));
    }
    const auto fewer = *teacher_logits::make(net, quarters(10));
    CHECK(teacher_logits::average({&a, &fewer}).error().message ==
          "teacher_logits::average: expected 20 samples of 4 classes, as the first teacher has, found 10 of 4");
    CHECK_FALSE(teacher_logits::average({}));
    CHECK_FALSE(teacher_logits::average({&a, &b}, {1.0f, -1.0f}));
}

TEST_CASE("a student learns from logits, also by other losses than the divergence") {
    const auto data = quarters(500);
    auto teacher = net;
    REQUIRE(fit(teacher, data, cross_entropy{}, adam{.learning_rate = 1e-2f}, {.epochs = 10, .batch_size = 25}));
    const auto logits = teacher_logits::make(quantize_dynamic(teacher), data, {.form = logit_form::top_k, .k = 3});
    const auto errors = *count_errors(teacher, data);
    const auto untrained = initialized(net, he_normal{}, seed{9});
    const auto check = [&](const auto& targets) {
        const auto student =
            distill(untrained, logits, data, targets, adam{.learning_rate = 1e-2f}, {.epochs = 10, .batch_size = 25});
        REQUIRE(student);
        CHECK(*count_errors(*student, data) < errors + 30);
    };
    check(with_labels{mean_squared_error{}});
    check(decoupled_targets{.temperature = 2.0f, .other_weight = 1.0f});
    check(correlated_targets{});
    const auto masked_class = callable_teacher{[](std::span<const float>, matrix_view<float> y) {
                                                   for (std::size_t i = 0; i < y.rows; ++i) {
                                                       y(i, 0) = 0.0f;
                                                       y(i, 1) = -std::numeric_limits<float>::infinity();
                                                   }
                                               },
                                               2};
    CHECK(teacher_logits::make(masked_class, data).error().message ==
          "teacher_logits: expected finite logits, found -inf in those of sample 0");
    CHECK(teacher_logits::make(net, data, {.form = logit_form::top_k, .k = 0}).error().message ==
          "logit_cache: expected a k of at least 1 and fewer than 2^24 classes, found 0 and 4");
}
