#include <pare/io/model.hpp>
#include <pare/nn.hpp>
#include <pare/quantize/qat.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "round_trip.hpp"

using namespace pare;

TEST_CASE("models in training for quantization come back, with ranges, scales and masks") {
    constexpr weight_policy learned = {.bits = 4, .scales = granularity::per_tensor, .step = step_size::learned};
    const auto qat = [&](std::uint64_t s) {
        auto net = prepare_qat<learned, input_policy{.bits = 4, .step = step_size::learned}>(
            initialized(sequential(input<6, 6, 2>(), conv2d<2, 3, 3>(), batch_norm<3>(), relu(), flatten(), dense<48, 2>()),
                        pytorch_default{}, seed{s}));
        for_each_member(net, [&](const member_path&, auto& member) {
            if constexpr (requires { member.has_range(); }) {
                member.range = {-1.0f, static_cast<float>(s), 1.0f};
                member.scale = 0.5f;
            } else if constexpr (requires { member.seen; }) {
                member.template refresh<isa::scalar>();
            }
        });
        return net;
    };
    const auto file = round_trip(qat(1), qat(2));
    for (const char* const name :
         {"0.weight", "0.weight.scale", "0.weight.channel_scale", "0.input.range", "0.input.scale", "4.input.range"}) {
        CHECK(file.find(name) != nullptr);
    }
    CHECK(file.find("0.weight")->shape == std::vector<std::size_t>{3, 2, 3, 3});
    round_trip(*convert(qat(1)), *convert(qat(2)));
}
