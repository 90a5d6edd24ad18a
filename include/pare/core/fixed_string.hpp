#ifndef PARE_CORE_FIXED_STRING_HPP
#define PARE_CORE_FIXED_STRING_HPP

#include <array>
#include <cstddef>
#include <string_view>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Text as a template argument: except<"2">.
template <std::size_t Size>
struct fixed_string {
    char text[Size] = {};

    constexpr fixed_string(const char (&literal)[Size]) noexcept {
        for (std::size_t i = 0; i < Size; ++i) {
            text[i] = literal[i];
        }
    }
    constexpr std::string_view view() const noexcept { return {text, Size - 1}; }
};

PARE_NAMESPACE_END

#endif
