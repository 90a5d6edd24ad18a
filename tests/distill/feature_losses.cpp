#include <pare/distill/feature_losses.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/executor.hpp>
#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

constexpr feature_shape narrow = {3, 2}, wide = {3, 4};
constexpr std::size_t batch = 5;

std::vector<double> normal(std::uint64_t stream, std::size_t n) {
    const random_numbers random(seed{11}, stream);
    std::vector<double> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<double>(random.normal(i));
    }
    return x;
}

template <class Loss>
double loss_of(const Loss& loss, const std::vector<double>& s, const feature_shape& of_s, const std::vector<double>& t,
               const feature_shape& of_t, std::vector<double>& gradient) {
    serial_executor serial;
    gradient.assign(s.size(), 9.0);
    const std::size_t n = s.size() / of_s.size();
    return loss(feature_batch<double>{s.data(), n, of_s}, feature_batch<double>{t.data(), n, of_t}, gradient.data(), serial);
}

/// The gradient against central differences, in double.
template <class Loss>
void check_gradient(const Loss& loss, const feature_shape& of_s, const feature_shape& of_t) {
    const auto s = normal(0, batch * of_s.size()), t = normal(1, batch * of_t.size());
    std::vector<double> gradient, unused;
    CHECK(loss_of(loss, s, of_s, t, of_t, gradient) > 0.0);
    for (std::size_t i = 0; i < s.size(); ++i) {
        auto above = s, below = s;
        above[i] += 1e-5;
        below[i] -= 1e-5;
        const double slope = (loss_of(loss, above, of_s, t, of_t, unused) - loss_of(loss, below, of_s, t, of_t, unused)) / 2e-5;
        CAPTURE(Loss::name, i);
        CHECK(gradient[i] == Approx(slope).epsilon(1e-6).margin(1e-9));
    }
}

}  // namespace

TEST_CASE("gradients of losses on features") {
    check_gradient(hint<"1">{}, wide, wide);
    check_gradient(attention_transfer<"1">{}, narrow, wide);
    check_gradient(attention_transfer<"1">{.power = 1.0f}, narrow, wide);
    check_gradient(attention_transfer<"1">{.power = 3.5f}, narrow, wide);
    check_gradient(relational_distance<"1">{}, narrow, wide);
    check_gradient(relational_angle<"1">{}, narrow, wide);
    check_gradient(similarity_preserving<"1">{}, narrow, wide);
}

TEST_CASE("a hint is half the mean squared difference") {
    std::vector<double> gradient;
    CHECK(loss_of(hint<"1">{}, {1, 2, 3, 4}, {1, 2}, {1, 0, 3, 1}, {1, 2}, gradient) == Approx((4.0 + 9.0) / 8.0));
    CHECK(gradient == std::vector<double>{0.0, 0.5, 0.0, 0.75});
}

TEST_CASE("attention is where the channels are large") {
    std::vector<double> gradient;
    // Maps (9 + 16, 0) and (0, 4): at right angles, (1, 0) and (0, 1).
    CHECK(loss_of(attention_transfer<"1">{}, {3, -4, 0, 0}, {2, 2}, {0, 2}, {2, 1}, gradient) == Approx(1.0));
    // Signs, sizes and the number of channels do not matter.
    CHECK(loss_of(attention_transfer<"1">{}, {3, -4, 5, 0}, {2, 2}, {-1, 1}, {2, 1}, gradient) == Approx(0.0).margin(1e-12));
    CHECK(loss_of(attention_transfer<"1">{}, {0, 0, 0, 0}, {2, 2}, {0, 2}, {2, 1}, gradient) == Approx(0.5));
    CHECK(gradient == std::vector<double>(4, 0.0));
}

TEST_CASE("distances are relative to their mean") {
    // A triangle of sides 3, 4, 5, and one of sides 1, 1, 2 on a line: means 4 and 4/3.
    const std::vector<double> triangle = {0, 0, 3, 0, 0, 4}, line = {0, 1, -1};
    const double a = 3.0 / 4.0 - 3.0 / 4.0, b = 4.0 / 4.0 - 3.0 / 4.0, c = 5.0 / 4.0 - 6.0 / 4.0;
    std::vector<double> gradient;
    CHECK(loss_of(relational_distance<"1">{}, triangle, {1, 2}, line, {1, 1}, gradient) == Approx((a * a + b * b + c * c) / 6.0));
    // Neither the size nor the place of the figure matters, nor on which side of a line it lies.
    CHECK(loss_of(relational_distance<"1">{}, triangle, {1, 2}, {7, 1, 1, 1, 7, 9}, {1, 2}, gradient) == Approx(0.0).margin(1e-12));
    // Large differences count by their size, not its square.
    CHECK(detail::huber(3.0).value == Approx(2.5));
    CHECK(detail::huber(-3.0).slope == -1.0);
}

TEST_CASE("angles are those of all triples") {
    // Cosines of the triangle 3, 4, 5: 0 at the right angle, 3/5 and 4/5; on the line 0, 1, -1: -1, 1, 1.
    const std::vector<double> triangle = {0, 0, 3, 0, 0, 4}, line = {0, 1, -1};
    const detail::huber at_0(0.0 + 1.0), at_1(0.6 - 1.0), at_2(0.8 - 1.0);
    std::vector<double> gradient;
    CHECK(loss_of(relational_angle<"1">{}, triangle, {1, 2}, line, {1, 1}, gradient) ==
          Approx((at_0.value + at_1.value + at_2.value) / 3.0));
    // Bits do not depend on threads.
    const auto s = normal(0, 33 * 6), t = normal(1, 33 * 12);
    std::vector<double> again(s.size());
    const double loss = loss_of(relational_angle<"1">{}, s, narrow, t, wide, gradient);
    thread_pool pool(3);
    CHECK(relational_angle<"1">{}(feature_batch<double>{s.data(), 33, narrow}, feature_batch<double>{t.data(), 33, wide},
                                  again.data(), pool) == loss);
    CHECK(again == gradient);
}

TEST_CASE("similarities are rows of products") {
    // G of the student: (1, 0; 0, 1); of the teacher (4, 4; 4, 4), rows of length 1: 1 / sqrt(2).
    const double r = 1.0 / std::sqrt(2.0);
    std::vector<double> gradient;
    CHECK(loss_of(similarity_preserving<"1">{}, {1, 0, 0, 1}, {1, 2}, {2, 2}, {1, 1}, gradient) ==
          Approx((2.0 * (1.0 - r) * (1.0 - r) + 2.0 * r * r) / 4.0));
}

TEST_CASE("samples that coincide, or are alone, have no relations but finite losses") {
    const std::vector<double> same = {1, 2, 1, 2, 1, 2}, apart = {0, 0, 3, 0, 0, 4}, pair = {1, 2, 1, 2, 5, 5};
    const auto check = [&](const auto& loss) {
        std::vector<double> gradient;
        for (const auto& s : {same, pair, std::vector<double>(6, 0.0), std::vector<double>{1, 2}}) {
            CAPTURE(s);
            CHECK(std::isfinite(loss_of(loss, s, {1, 2}, apart, {1, 2}, gradient)));
            CHECK(std::isfinite(loss_of(loss, apart, {1, 2}, s.size() == 6 ? s : apart, {1, 2}, gradient)));
            for (const double g : gradient) {
                CHECK(std::isfinite(g));
            }
        }
        loss_of(loss, same, {1, 2}, apart, {1, 2}, gradient);
        for (const double g : gradient) {
            CHECK(std::isfinite(g));
        }
    };
    check(relational_distance<"1">{});
    check(relational_angle<"1">{});
    check(similarity_preserving<"1">{});
}

TEST_CASE("losses on features that make no sense say so") {
    CHECK(hint<"1">{.weight = 0.0f}.problem()->message == "hint: expected a weight above 0, found 0");
    CHECK(relational_distance<"1">{.weight = -1.0f}.problem()->message ==
          "relational_distance: expected a weight above 0, found -1");
    CHECK(relational_angle<"1">{.weight = std::numeric_limits<float>::quiet_NaN()}.problem());
    CHECK(similarity_preserving<"1">{.weight = std::numeric_limits<float>::infinity()}.problem());
    CHECK(attention_transfer<"1">{.power = 0.5f}.problem()->message ==
          "attention_transfer: expected a power of at least 1, found 0.5");
    CHECK_FALSE(attention_transfer<"1">{}.problem());
}
