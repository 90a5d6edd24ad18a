#include <pare/quantize/histogram_observers.hpp>
#include <pare/quantize/per_channel_observer.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// Numbers of a normal distribution, and one that is far from all others.
std::vector<float> numbers_with_outlier(float outlier) {
    const random_numbers random(seed{41}, 0);
    std::vector<float> x(20000);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const float u = random.uniform(2 * i, 1e-6f, 1.0f), v = random.uniform(2 * i + 1, 0.0f, 1.0f);
        x[i] = std::sqrt(-2.0f * std::log(u)) * std::cos(6.2831853f * v);
    }
    x[777] = outlier;
    return x;
}

double squared_error(const std::vector<float>& x, observed_range r) {
    const quantization q = affine_quantization<quint8>(r.min, r.max);
    double sum = 0.0;
    for (const float v : x) {
        const auto n = quantize_value(v, 1.0f / q.scale, q.zero_point, 0, 255);
        const auto e = static_cast<double>(v) - static_cast<double>(static_cast<float>(n - q.zero_point) * q.scale);
        sum += e * e;
    }
    return sum;
}

template <observer Observer>
observed_range range_of(Observer o, const std::vector<float>& x) {
    for (std::size_t i = 0; i < x.size(); i += 1000) {
        o.observe(std::span(x).subspan(i, x.size() - i < 1000 ? x.size() - i : 1000));
    }
    return o.range().value();
}

}  // namespace

TEST_CASE("a histogram counts every number once, however far its bins have grown") {
    histogram h(64);
    const std::vector<float> batches[] = {{0.5f}, {0.25f, 0.75f}, {}, {-3.0f}, {0.6f, 0.6f, 5.0f}, {1000.0f}};
    std::size_t n = 0;
    for (const auto& batch : batches) {
        h.observe(batch);
        n += batch.size();
        double sum = 0.0;
        for (std::size_t i = 0; i < h.bins(); ++i) {
            sum += h.count(i);
        }
        CHECK(sum == Approx(static_cast<double>(n)));
    }
    CHECK(h.range().value() == observed_range{-3.0f, 1000.0f});
    CHECK(h.count(63) == 1.0);
    CHECK(h.quantile(0.0) == -3.0);
    CHECK(h.quantile(1.0) == 1000.0);
    CHECK(h.quantile(0.5) < 1003.0 / 64.0);
}

TEST_CASE("the error of a range is that of the integers that it is given") {
    std::vector<float> x(100000);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(i) * 1e-5f;
    }
    histogram h;
    h.observe(x);
    const double step = 1.0 / 256.0;  // uniform: a twelfth of a step squared
    CHECK(h.squared_error(0.0, 1.0, 256) == Approx(1e5 * step * step / 12.0).epsilon(1e-3));
    // what lies above 1/2 is put into the last cell, whose middle is 1/2 - 1/1024
    const double inside = 5e4 * step * step / 48.0, outside = 5e4 * (0.25 / 3.0 + 0.5 * 0.5 / 512.0);
    CHECK(h.squared_error(0.0, 0.5, 256) == Approx(inside + outside).epsilon(2e-3));
}

TEST_CASE("a rare number far away is left out, and the error of all is smaller for it") {
    const auto x = numbers_with_outlier(20.0f);
    const double all = squared_error(x, range_of(minmax_observer{}, x));
    for (const observed_range r : {range_of(histogram_observer{}, x), range_of(mse_observer{}, x)}) {
        CHECK((r.max > 3.0f && r.max < 20.0f));
        CHECK((r.min < -3.0f && r.min > -6.0f));
        CHECK(squared_error(x, r) < all);
    }
    // the number itself counts: it must be worth it
    const auto near = range_of(mse_observer{}, numbers_with_outlier(4.5f));
    CHECK((near.max > 3.5f && near.max <= 4.5f));
    const double best = squared_error(x, range_of(mse_observer{}, x));
    for (float size = 3.0f; size < 20.0f; size += 0.5f) {
        CHECK(best <= 1.02 * squared_error(x, {-size < -4.5f ? -4.5f : -size, size}));
    }
    const auto far = numbers_with_outlier(50.0f);
    for (const observed_range r : {range_of(percentile_observer{}, far), range_of(entropy_observer{}, far)}) {
        CHECK((r.max > 2.0f && r.max < 20.0f));
        CHECK((r.min < -2.0f && r.min > -6.0f));
    }
}

TEST_CASE("a uniform distribution keeps its range") {
    std::vector<float> x(40000);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(i * 7919 % 40000) * 1e-4f - 1.0f;  // [-1, 3)
    }
    for (const observed_range r :
         {range_of(histogram_observer{}, x), range_of(mse_observer{}, x), range_of(entropy_observer{}, x)}) {
        CHECK(r.min == Approx(-1.0).margin(0.02));
        CHECK(r.max == Approx(3.0).margin(0.08));
    }
    const auto tails = range_of(percentile_observer{.percentile = 90.0}, x);
    CHECK(tails.min == Approx(-0.6).margin(0.01));
    CHECK(tails.max == Approx(2.6).margin(0.01));
    CHECK(range_of(percentile_observer{.percentile = 100.0}, x) == range_of(minmax_observer{}, x));
}

TEST_CASE("zeros cost nothing, however many there are") {
    auto x = numbers_with_outlier(0.0f);
    for (float& v : x) {
        v = v > 0.0f ? v : 0.0f;  // half of all
    }
    const double all = squared_error(x, range_of(minmax_observer{}, x));
    CHECK(squared_error(x, range_of(mse_observer{}, x)) <= all);
    CHECK(squared_error(x, range_of(entropy_observer{}, x)) <= 1.1 * all);
    CHECK(range_of(mse_observer{}, x).min >= 0.0f);
    x.resize(x.size() + 100000, 0.0f);
    CHECK(squared_error(x, range_of(mse_observer{}, x)) <= all);
    CHECK(squared_error(x, range_of(entropy_observer{}, x)) <= 1.1 * all);
}

TEST_CASE("one number, or one number again and again, is a range") {
    for (const auto& x : {std::vector<float>{2.5f}, std::vector<float>(50, 2.5f), std::vector<float>(50, 0.0f)}) {
        const observed_range r = {x[0], x[0]};
        CHECK(range_of(histogram_observer{}, x) == r);
        CHECK(range_of(percentile_observer{}, x) == r);
        CHECK(range_of(mse_observer{}, x) == r);
        CHECK(range_of(entropy_observer{}, x) == r);
    }
}

TEST_CASE("histograms of the largest floats, and of bad data") {
    const auto check = []<observer Observer>(Observer fresh) {
        CHECK(fresh.range().error().message == "observer: expected numbers to take a range from, found none");
        Observer large = fresh, bad = fresh;
        const float x[] = {-3e38f, 0.0f, 3e38f};
        large.observe(x);
        CHECK((large.range()->min >= -3e38f && large.range()->max <= 3e38f));
        bad.observe(x);
        bad.observe(std::vector<float>{1.0f, std::numeric_limits<float>::quiet_NaN()});
        bad.observe(x);
        CHECK(bad.range().error().message == "observer: expected finite numbers, found NaN");
    };
    check(histogram_observer{});
    check(percentile_observer{});
    check(mse_observer{});
    check(entropy_observer{});
    CHECK(range_of(mse_observer{}, numbers_with_outlier(1e30f)).max <= 1e30f);
    percentile_observer half{.percentile = 50.0};
    CHECK(half.range().error().message == "observer: expected a percentile above 50 and at most 100, found 50");
}

TEST_CASE("channels are observed one by one, wherever their axis is") {
    const std::vector<float> rows = {1.0f, -2.0f, 3.0f, 0.0f, 0.5f, 0.25f};
    per_channel_observer first(2);
    per_channel_observer last(3, channel_axis::last, moving_average_observer{.constant = 0.5f});
    CHECK(first.ranges().error().message == "channel 0: observer: expected numbers to take a range from, found none");
    first.observe(rows);
    last.observe(rows);
    last.observe(std::vector<float>{3.0f, -2.0f, 3.0f});
    CHECK(first.ranges().value() == std::vector<observed_range>{{-2.0f, 3.0f}, {0.0f, 0.5f}});
    CHECK(last.ranges().value() == std::vector<observed_range>{{1.5f, 2.0f}, {-2.0f, -0.75f}, {1.625f, 3.0f}});
    first.observe(std::vector<float>{0.0f, std::numeric_limits<float>::infinity()});
    CHECK(first.ranges().error().message == "channel 1: observer: expected finite numbers, found an infinity");
}
