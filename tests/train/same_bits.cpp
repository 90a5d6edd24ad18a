#include <bit>
#include <cstdint>

#include <pare/core/thread_pool.hpp>
#include <pare/nn.hpp>
#include <pare/quantize/qat.hpp>
#include <pare/simd/unfused.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// A hash of every gradient of a training run.
struct gradient_digest {
    std::uint64_t hash = 14695981039346656037u;

    void on_gradient(const auto&, training_state& state) {
        for (const float g : state.gradient) {
            hash = (hash ^ std::bit_cast<std::uint32_t>(g)) * 1099511628211u;
        }
    }
};

/// Images of noise in four classes, from products with powers of two alone, which are exact.
auto noise() {
    aligned_array<float> pixels(48 * 64);
    std::vector<std::int32_t> labels(48);
    const random_numbers random(seed{3}, 0);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = (random.uniform(i) - 0.5f) * 4.0f;
        labels[i / 64] = static_cast<std::int32_t>(i / 64 % 4);
    }
    return labeled_data<float, 8, 8, 1>::make("noise", {}, 4, std::move(pixels), std::move(labels)).value();
}

template <class Isa, class Model, class Optimizer, class Executor>
std::uint64_t digest_of_training(Model model, const Optimizer& optimizer, Executor& exec) {
    for_each_member(model, [&, at = std::uint64_t{0}](const member_path&, auto& member) mutable {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            const random_numbers random(seed{4}, at++);
            const auto values = trainable_values(member);
            for (std::size_t i = 0; i < values.size(); ++i) {
                values[i] = (random.uniform(i) - 0.5f) * 0.5f;
            }
        }
    });
    gradient_digest digest;
    REQUIRE(fit<Isa>(model, noise(), cross_entropy{}, optimizer,
                     {.epochs = 2, .batch_size = 20, .shuffle_seed = seed{5}, .largest_gradient_norm = 0.5f}, exec, digest));
    return digest.hash;
}

template <class Model, class Optimizer>
void check_same_bits(const Model& model, const Optimizer& optimizer, std::uint64_t expected) {
    serial_executor serial;
    thread_pool pool(3);
    CHECK(digest_of_training<isa::unfused<isa::scalar>>(model, optimizer, serial) == expected);
    CHECK(digest_of_training<isa::unfused<isa::native>>(model, optimizer, pool) == expected);
}

}  // namespace

// The numbers below are those of every compiler, set of flags and instruction set; a product that a compiler fuses with a sum
// changes them.
TEST_CASE("training without fused multiply-adds has the same bits everywhere") {
    SECTION("convolutions, batch norms and pools") {
        constexpr conv_options depthwise{.groups = 6};
        check_same_bits(sequential(input<8, 8, 1>(), conv2d<1, 20, 3>(), batch_norm<20>(), leaky_relu(), average_pool2d<2>(),
                                   conv_transpose2d<20, 6, 3>(), batch_norm<6>(), tanh_activation(), conv2d<6, 18, 3, depthwise>(),
                                   elu(), conv2d<18, 24, 1>(), sigmoid(), max_pool2d<2>(), flatten(), dense<24, 4>()),
                        adam{.learning_rate = 1e-2f}, 0xfec0a61ae90aead5u);
    }
    SECTION("recurrent layers, attention and layer norms") {
        check_same_bits(sequential(input<8, 8>(), lstm<8, 10>(), gru<10, 12>(), rnn<12, 19>(), layer_norm<19>(), dense<19, 8>(),
                                   self_attention<8, 2>(), flatten(), dense<64, 4>()),
                        adamw{.learning_rate = 1e-2f}, 0xfcb91733cf062c50u);
    }
    SECTION("activations") {
        check_same_bits(sequential(flatten(), dense<64, 20>(), gelu_tanh(), dense<20, 20>(), hard_swish(), dense<20, 20>(), silu(),
                                   dense<20, 20>(), gelu(), dropout{0.2f}, dense<20, 20>(), softplus(), dense<20, 4>()),
                        sgd{.learning_rate = 1e-2f, .momentum = 0.9f, .weight_decay = 1e-3f, .nesterov = true},
                        0xf180db857674ebd7u);
    }
    SECTION("scales that are learned, and a softmax") {
        constexpr weight_policy learned = {.bits = 4, .scales = granularity::per_tensor, .step = step_size::learned};
        check_same_bits(prepare_qat<learned>(sequential(flatten(), dense<64, 20>(), relu(), dense<20, 4>(), log_softmax())),
                        rmsprop{.learning_rate = 1e-3f}, 0xa71ca61287cfac80u);
    }
}
