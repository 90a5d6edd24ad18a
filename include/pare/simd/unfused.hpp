#ifndef PARE_SIMD_UNFUSED_HPP
#define PARE_SIMD_UNFUSED_HPP

#include <array>
#include <string_view>
#include <type_traits>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace isa {

/// An instruction set whose float multiply-adds round twice, as they do where there is no instruction that rounds once. Training
/// then has the same bits on every instruction set, those of isa::unfused<isa::scalar>, and so has what follows from it, such as
/// masks: fit<isa::unfused<isa::native>>(...). The promise is that of strict float arithmetic, not under -ffast-math; not of what
/// adds products of doubles, which a compiler may fuse: losses of features, correlations and cosines, orthogonal initial weights.
/// What the C library computes in double, such as the normal distribution of initial weights, is taken to be the same.
template <class Isa>
struct unfused {
private:
    static constexpr auto text = [] {
        constexpr std::string_view base = Isa::name, more = ", unfused";
        std::array<char, base.size() + more.size() + 1> joined{};
        for (std::size_t i = 0; i < base.size() + more.size(); ++i) {
            joined[i] = i < base.size() ? base[i] : more[i - base.size()];
        }
        return joined;
    }();

public:
    static constexpr const char* name = text.data();
    static constexpr bool compiled = Isa::compiled;
};

}  // namespace isa

namespace simd {

template <class Isa>
struct ops<isa::unfused<Isa>> : ops<Isa> {
    template <class T>
    PARE_INLINE static T fma(T a, T b, T c) noexcept {
        if constexpr (std::is_same_v<T, float>) {
            return pare::opaque(a * b) + c;
        } else if constexpr (std::is_same_v<T, typename ops<Isa>::f32>) {
            return ops<Isa>::opaque(a * b) + c;
        } else {
            return ops<Isa>::fma(a, b, c);
        }
    }
};

}  // namespace simd

PARE_NAMESPACE_END

#endif
