#ifndef PARE_CORE_RANDOM_HPP
#define PARE_CORE_RANDOM_HPP

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Four random words out of a 128-bit counter and a 64-bit key: Philox4x32-10. Salmon, Moraes, Dror, Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
    }
    return counter;
}

/// What every random choice of a run derives from.
struct seed {
    std::uint64_t value = 0;
};

/// An array of random numbers that is never stored: number i depends on the seed, the stream and i alone, so that any thread may
/// ask for any of them in any order. Distinct purposes take distinct streams: the matrices of a model 0, 1, ..., the shuffling of
/// epoch e 2^32 + e, the layers in training step t 2^33 + t, its augmentation 2^34 + t, the biases of
/// a model 2^35, 2^35 + 1, ..., scores by which they are pruned at random 2^36, 2^36 + 1, ..., regressors of hints 2^37, ...
class random_numbers {
public:
    constexpr random_numbers(seed s, std::uint64_t stream) noexcept : seed_(s.value), stream_(stream) {}

    /// Two independent 64-bit words.
    constexpr std::array<std::uint64_t, 2> words(std::uint64_t i) const noexcept {
        const auto r = philox4x32({low(i), high(i), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
        return {r[0] | std::uint64_t{r[1]} << 32, r[2] | std::uint64_t{r[3]} << 32};
    }

    /// words(first), ..., words(first + N - 1) in quarters of 32 bits, the least significant first: quarters[q][j] is one of
    /// words(first + j). A loop over j that compilers make vectors of: a fraction of the time of N calls.
    template <std::size_t N>
    constexpr void quarters_of_words(std::uint64_t first, std::array<std::array<std::uint32_t, N>, 4>& quarters) const noexcept {
        auto& [c0, c1, c2, c3] = quarters;
        for (std::size_t j = 0; j < N; ++j) {
            c0[j] = low(first + j);
            c1[j] = high(first + j);
            c2[j] = low(stream_);
            c3[j] = high(stream_);
        }
        std::array<std::uint32_t, 2> key = {low(seed_), high(seed_)};
        for (int round = 0; round < 10; ++round) {  // as in philox4x32
            for (std::size_t j = 0; j < N; ++j) {
                const std::uint64_t a = std::uint64_t{0xD2511F53u} * c0[j];
                const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c2[j];
                c0[j] = high(b) ^ c1[j] ^ key[0];
                c1[j] = low(b);
                c2[j] = high(a) ^ c3[j] ^ key[1];
                c3[j] = low(a);
            }
            key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
        }
    }

    /// Another array, for part i of what this one is for.
    constexpr random_numbers split(std::uint64_t i) const noexcept {
        const auto w = words(i);
        return random_numbers(seed{w[0]}, w[1]);
    }

    /// In [0, 1), a multiple of 2^-24: exact in float.
    constexpr float uniform(std::uint64_t i) const noexcept { return static_cast<float>(words(i)[0] >> 40) * 0x1p-24f; }

    /// from + (to - from) * uniform(i), in [from, to]: `to` itself where the sum rounds to it.
    constexpr float uniform(std::uint64_t i, float from, float to) const noexcept {
        const double length = static_cast<double>(to) - static_cast<double>(from);
        return static_cast<float>(static_cast<double>(from) + length * static_cast<double>(uniform(i)));
    }

    /// In {0, ..., bound - 1}, for bound > 0. The bias, below bound / 2^64, is not observable.
    constexpr std::uint64_t below(std::uint64_t i, std::uint64_t bound) const noexcept { return words(i)[0] % bound; }

    /// Mean 0, variance 1. Box, Muller 1958.
    float normal(std::uint64_t i) const noexcept {
        const auto w = words(i);
        const double u = (static_cast<double>(w[0] >> 11) + 1.0) * 0x1p-53;  // (0, 1]
        const double v = static_cast<double>(w[1] >> 11) * 0x1p-53;
        return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * v));
    }

private:
    static constexpr std::uint32_t low(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x >> 32); }

    std::uint64_t seed_;
    std::uint64_t stream_;
};

/// Puts `values` into a random order. Fisher, Yates; Durstenfeld 1964.
template <class Range>
void shuffle(Range& values, const random_numbers& random) noexcept {
    for (std::size_t n = values.size(); n > 1; --n) {
        std::swap(values[n - 1], values[static_cast<std::size_t>(random.below(n, n))]);
    }
}

PARE_NAMESPACE_END

#endif
