#ifndef PARE_IO_NUMBER_TYPES_HPP
#define PARE_IO_NUMBER_TYPES_HPP

#include <bit>
#include <cstdint>

#include <pare/types/bfloat16.hpp>
#include <pare/types/float16.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

static_assert(std::endian::native == std::endian::little,
              "pare: files hold numbers with their lowest byte first; this machine has the highest first");

/// What files call the numbers of a type: safetensors, and NumPy (kind and bytes, without the order of bytes); null where they have
/// no name for it.
struct number_names {
    const char* safetensors = nullptr;
    const char* npy = nullptr;
};
template <class T>
inline constexpr number_names names_of{};
// clang-format off
template <> inline constexpr number_names names_of<float>{"F32", "f4"};
template <> inline constexpr number_names names_of<double>{"F64", "f8"};
template <> inline constexpr number_names names_of<float16>{"F16", "f2"};
template <> inline constexpr number_names names_of<bfloat16>{"BF16", nullptr};
template <> inline constexpr number_names names_of<std::int8_t>{"I8", "i1"};
template <> inline constexpr number_names names_of<std::int16_t>{"I16", "i2"};
template <> inline constexpr number_names names_of<std::int32_t>{"I32", "i4"};
template <> inline constexpr number_names names_of<std::int64_t>{"I64", "i8"};
template <> inline constexpr number_names names_of<std::uint8_t>{"U8", "u1"};
template <> inline constexpr number_names names_of<std::uint16_t>{"U16", "u2"};
template <> inline constexpr number_names names_of<std::uint32_t>{"U32", "u4"};
template <> inline constexpr number_names names_of<std::uint64_t>{"U64", "u8"};
// clang-format on
template <class T>
inline constexpr const char* safetensors_type = names_of<T>.safetensors;
template <class T>
inline constexpr const char* npy_type = names_of<T>.npy;

}  // namespace io

PARE_NAMESPACE_END

#endif
