// What PyTorch gave when it quantized the same numbers, and what its observers made of the same batches.

#include <string>
#include <vector>

#include <pare/quantize/histogram_observers.hpp>
#include <pare/quantize/per_channel_observer.hpp>
#include <pare/quantize/tensor.hpp>

#include "golden.hpp"

using namespace pare;
using nlohmann::json;

namespace {

template <class Q>
void check_tensor(const json& c, std::size_t channels, const std::vector<quantization>& parameters) {
    const auto x = golden_numbers(c, "x");
    const tensor_view<const float, dyn, dyn> view(x.data(), channels, x.size() / channels);
    const auto q = quantize<Q, dialect::torch>(view, parameters);
    const auto expected = golden_numbers<int>(c, "q");
    const auto real = golden_numbers(c, "dq");
    for (std::size_t i = 0; i < x.size(); ++i) {
        CAPTURE(i, x[i]);
        REQUIRE(int{q.values.data()[i]} == expected[i]);
        REQUIRE(q.real(i) == real[i]);
    }
}

template <observer Observer>
observed_range range_of_batches(const json& c, Observer o) {
    for (int i = 0; c["tensors"].contains("batch" + std::to_string(i)); ++i) {
        o.observe(golden_numbers(c, "batch" + std::to_string(i)));
    }
    return o.range().value();
}

void check_quantization(const json& c, quantization q, double tolerance = 0.0) {
    CHECK(std::abs(q.scale / c["attr"]["scale"].get<float>() - 1.0f) <= static_cast<float>(tolerance));
    CHECK(q.zero_point == c["attr"]["zero_point"].get<int>());
}

}  // namespace

TEST_CASE("numbers become the integers of PyTorch, and numbers again") {
    const json cases = golden_cases("quantize.json");
    REQUIRE(!cases.empty());
    for (const auto& c : cases) {
        CAPTURE(c["name"].get<std::string>());
        if (golden_kind(c) == "quantize_per_tensor") {
            const std::vector<quantization> parameters = {
                {c["attr"]["scale"].get<float>(), c["attr"]["zero_point"].get<std::int32_t>()}};
            const std::string type = c["attr"]["dtype"];
            if (type == qint8::name) {
                check_tensor<qint8>(c, 1, parameters);
            } else if (type == quint8::name) {
                check_tensor<quint8>(c, 1, parameters);
            } else {
                REQUIRE(type == qint32::name);
                check_tensor<qint32>(c, 1, parameters);
            }
        } else {
            REQUIRE(golden_kind(c) == "quantize_per_channel");
            REQUIRE(c["attr"]["axis"].get<int>() == 0);
            const auto scales = golden_numbers(c, "scales");
            const auto zero_points = golden_numbers<std::int32_t>(c, "zero_points");
            std::vector<quantization> parameters;
            for (std::size_t i = 0; i < scales.size(); ++i) {
                parameters.push_back({scales[i], zero_points[i]});
            }
            check_tensor<qint8>(c, scales.size(), parameters);
        }
    }
}

TEST_CASE("observers make the scales of PyTorch") {
    const json cases = golden_cases("observers.json");
    REQUIRE(!cases.empty());
    for (const auto& c : cases) {
        CAPTURE(c["name"].get<std::string>());
        const std::string kind = golden_kind(c);
        const auto affine = [&]<class Dialect>(Dialect, observed_range r) {
            return Dialect::template affine<quint8>(r.min, r.max);
        };
        if (kind == "minmax_affine_quint8") {
            check_quantization(c, affine(dialect::torch{}, range_of_batches(c, minmax_observer{})));
        } else if (kind == "minmax_affine_quint8_reduced") {
            check_quantization(c, affine(dialect::torch_reduced{}, range_of_batches(c, minmax_observer{})));
        } else if (kind == "moving_average_affine_quint8") {
            check_quantization(c, affine(dialect::torch{}, range_of_batches(c, moving_average_observer{})));
        } else if (kind == "histogram_quint8") {
            check_quantization(c, affine(dialect::torch{}, range_of_batches(c, histogram_observer{})), 1e-5);
        } else if (kind == "minmax_symmetric_qint8") {
            const observed_range r = range_of_batches(c, minmax_observer{});
            check_quantization(c, dialect::torch::symmetric<qint8>(r.max > -r.min ? r.max : -r.min));
        } else {
            REQUIRE(kind == "per_channel_symmetric_qint8");
            const auto scales = golden_numbers(c, "scales");
            per_channel_observer channels(scales.size());
            channels.observe(golden_numbers(c, "w"));
            const auto ranges = channels.ranges().value();
            for (std::size_t i = 0; i < scales.size(); ++i) {
                const float magnitude = ranges[i].max > -ranges[i].min ? ranges[i].max : -ranges[i].min;
                CHECK(dialect::torch::symmetric<qint8>(magnitude) ==
                      quantization{scales[i], golden_numbers<std::int32_t>(c, "zero_points")[i]});
            }
        }
    }
}
