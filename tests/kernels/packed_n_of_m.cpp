#include <pare/kernels/packed_n_of_m.hpp>

#include <pare/nn.hpp>
#include <pare/prune/patterns.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/static.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "sparse_models.hpp"

using namespace pare;
using namespace sparse_models;

namespace {

/// A network of which the smaller two of each four weights are pruned.
auto two_of_four() {
    auto net = initialized(sequential(dense<dyn, dyn>(90, 130), relu(), dense<dyn, dyn>(130, 10)), he_normal{}, seed{1});
    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            std::vector<float> scores(member.values.begin(), member.values.end());
            for (float& s : scores) {
                s = s < 0.0f ? -s : s;
            }
            const weight_shape shape = {member.rows(), member.columns()};
            choose_mask(n_of_m<2, 4>{}, std::move(scores), shape, 0.5, exact_count{}, sparse_mask(shape.rows, shape.columns))
                .apply(member.values.data());
        }
    });
    return net;
}

}  // namespace

TEST_CASE("a network of bytes, 2 of 4, gives the bits of the one that is stored in full") {
    const auto net = two_of_four();
    check_equal(*quantize_dynamic(net), *quantize_dynamic(sparsify<n_of_m<2, 4>>(net)));
}

TEST_CASE("so does one whose layers pass on bytes, 2 of 4") {
    const auto net = quantize_static(two_of_four(), inputs);
    REQUIRE(net);
    serial_executor serial;
    CHECK(outputs<isa::native>(*sparsify<n_of_m<2, 4>>(*net), batch, serial) == outputs<isa::native>(*net, batch, serial));
}

TEST_CASE("and one of floats: what is added for a zero changes no sum") {
    serial_executor serial;
    const auto net = two_of_four();
    const auto sparse = *sparsify<n_of_m<2, 4>>(net);
    for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, batch}) {
        CHECK(outputs<isa::native>(sparse, rows, serial) == outputs<isa::native>(net, rows, serial));
    }
    const auto text = describe(prepare<isa::native>(sparse));
    CHECK_THAT(text, ContainsSubstring("n_of_m<2, 4>"));
    CHECK_THAT(describe(prepare<isa::scalar>(sparse)),
               ContainsSubstring("n_of_m<2, 4> expanded to float full, gemm_f32 on scalar"));
}

TEST_CASE("2 of 4 weights of a convolution multiply what its pixels see") {
    auto net = initialized(sequential(input<5, 6, 3>(), conv2d<3, 10, 3>()), he_normal{}, seed{2});
    auto& weights = std::get<1>(net.layers).weights;
    for (std::size_t i = 0; i < weights.values.size(); ++i) {
        weights.values[i] = i % weights.columns() % 4 < 2 ? weights.values[i] : 0.0f;
    }
    const auto of = [](const auto& ready) {
        auto space = workspace_for(ready, 1);
        std::vector<float> y(ready.output_size());
        run(ready, std::span(inputs.data(), 90), y, space);
        return y;
    };
    const auto expected = of(prepare<isa::scalar>(net)), y = of(*prepare<isa::native>(sparsify<n_of_m<2, 4>>(net)));
    for (std::size_t i = 0; i < y.size(); ++i) {
        CHECK(y[i] == Approx(expected[i]).margin(1e-5));
    }
}
