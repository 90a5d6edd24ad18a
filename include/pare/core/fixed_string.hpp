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

/// The name of a template with its numbers: template_name<"n_of_m", 2, 4>.text is "n_of_m<2, 4>".
template <fixed_string Name, std::size_t... Numbers>
inline constexpr auto template_name = [] {
    struct {
        char text[Name.view().size() + 24 * sizeof...(Numbers) + 3] = {};
        std::size_t length = 0;

        constexpr void put(std::string_view s) {
            for (const char c : s) {
                text[length++] = c;
            }
        }
        constexpr void put(std::size_t n) {
            if (n >= 10) {
                put(n / 10);
            }
            text[length++] = static_cast<char>('0' + n % 10);
        }
    } name;
    name.put(Name.view());
    std::size_t written = 0;
    ((name.put(written++ == 0 ? "<" : ", "), name.put(Numbers)), ...);
    name.put(">");
    return name;
}();

PARE_NAMESPACE_END

#endif
