#ifndef PARE_TYPES_CODEBOOK_HPP
#define PARE_TYPES_CODEBOOK_HPP

#include <cstddef>
#include <cstdint>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Weights that share K values: each is the number, from 0 on, of one of the K floats that a matrix has as its `scales`. Han, Mao,
/// Dally 2016, section 3.
template <std::size_t K>
struct codebook {
    static_assert(K >= 2 && K <= 256, "pare: a codebook has 2 to 256 values");
    using storage = std::uint8_t;
    static constexpr std::size_t size = K;
    static constexpr const char* name = "codebook";
};

namespace detail {

template <class Element>
inline constexpr bool is_codebook = false;
template <std::size_t K>
inline constexpr bool is_codebook<codebook<K>> = true;

}  // namespace detail

PARE_NAMESPACE_END

#endif
