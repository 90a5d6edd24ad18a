#include <pare/kernels/packed_bsr.hpp>

#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/static.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "sparse_models.hpp"

using namespace pare;
using namespace sparse_models;

namespace {

/// A network of which two blocks of R x C in three are zero.
template <std::size_t R, std::size_t C>
auto in_blocks() {
    auto net = initialized(sequential(dense<dyn, dyn>(90, 130), relu(), dense<dyn, dyn>(130, 10)), he_normal{}, seed{1});
    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            member.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
                member.values[i] = (row / R + column / C) % 3 == 0 ? member.values[i] : 0.0f;
            });
        }
    });
    return net;
}

}  // namespace

TEST_CASE("a network of bytes in blocks gives the bits of the one that is stored in full") {
    const auto net = in_blocks<16, 4>();
    check_equal(*quantize_dynamic(net), *quantize_dynamic(sparsify<bsr<16, 4>>(net)));
    const auto small_blocks = in_blocks<1, 4>();
    check_equal(*quantize_dynamic(small_blocks), *quantize_dynamic(sparsify<bsr<1, 4>>(small_blocks)));
}

TEST_CASE("so does one whose layers pass on bytes") {
    const auto net = quantize_static(in_blocks<16, 4>(), inputs);
    REQUIRE(net);
    check_equal(*net, *sparsify<bsr<16, 4>>(*net));
}

TEST_CASE("a network of floats in blocks computes what the one does that is stored in full") {
    serial_executor serial;
    const auto net = in_blocks<16, 4>();
    const auto blocks = *sparsify<bsr<16, 4>>(net);
    const auto expected = outputs<isa::native>(net, batch, serial), y = outputs<isa::native>(blocks, batch, serial);
    for (std::size_t i = 0; i < y.size(); ++i) {
        CHECK(y[i] == Approx(expected[i]).margin(1e-5));
    }
    CHECK_THAT(describe(prepare<isa::scalar>(blocks)),
               ContainsSubstring("float bsr<16, 4> (4416 of 11700 stored), spmm_panels on scalar"));
}
