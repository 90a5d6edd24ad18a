#ifndef PARE_CORE_RESULT_HPP
#define PARE_CORE_RESULT_HPP

#include <concepts>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <pare/config/assert.hpp>
#include <pare/config/compiler.hpp>

PARE_NAMESPACE_BEGIN

enum class error_code {
    invalid_argument,  // an argument outside its range
    invalid_data,      // numbers that cannot be used, such as NaN weights
    not_found,         // a file or a tensor that is not there
    malformed,         // a file that contradicts its own format
    diverged           // training that produced numbers that are not finite
};

/// What went wrong, for a person: `message` names the file or argument, what was expected and what was found.
struct error {
    error_code code = error_code::invalid_argument;
    std::string message;
};

/// A value or an `error`. Asking for the value of an error is the caller's bug and trips PARE_ASSERT.
template <class T>
class [[nodiscard]] result {
public:
    using value_type = T;

    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(pare::error problem) : state_(std::in_place_index<1>, std::move(problem)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    T& value() & noexcept { return *checked(); }
    const T& value() const& noexcept { return *const_cast<result*>(this)->checked(); }
    T&& value() && noexcept { return std::move(*checked()); }
    T& operator*() & noexcept { return value(); }
    const T& operator*() const& noexcept { return value(); }
    T&& operator*() && noexcept { return std::move(*this).value(); }
    T* operator->() noexcept { return &value(); }
    const T* operator->() const noexcept { return &value(); }

    /// The error; only where has_value() is false.
    const pare::error& error() const noexcept {
        PARE_ASSERT(!has_value(), "result::error() of a result that holds a value");
        return *std::get_if<1>(&state_);
    }

private:
    T* checked() noexcept {
        PARE_ASSERT(has_value(), "result::value() of an error: %s", std::get_if<1>(&state_)->message.c_str());
        return std::get_if<0>(&state_);
    }

    std::variant<T, pare::error> state_;
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

/// Lets a function of a plain value take a `result` too: an error passes through untouched, so that optimizations nest in one
/// expression.
template <class T, class F>
auto and_then(T&& value, F f) {
    if constexpr (is_result<std::remove_cvref_t<T>>) {
        using next = std::invoke_result_t<F, decltype(*std::forward<T>(value))>;
        using wrapped = std::conditional_t<is_result<next>, next, result<next>>;
        if (!value) {
            return wrapped(value.error());
        }
        return wrapped(f(*std::forward<T>(value)));
    } else {
        return f(std::forward<T>(value));
    }
}

namespace detail {

/// A piece of a sentence: a text, or a number as text.
class sentence_part {
public:
    sentence_part(std::string_view text) noexcept : text_(text) {}
    sentence_part(const std::string& text) noexcept : text_(text) {}
    sentence_part(const char* text) noexcept : text_(text) {}
    template <std::integral T>
    sentence_part(T n) noexcept {
        if constexpr (std::is_signed_v<T>) {
            write("%lld", static_cast<long long>(n));
        } else {
            write("%llu", static_cast<unsigned long long>(n));
        }
    }
    sentence_part(float x) noexcept { write("%.7g", static_cast<double>(x)); }
    sentence_part(double x) noexcept { write("%.10g", x); }

    std::string_view text() const noexcept { return length_ != 0 ? std::string_view(number_, length_) : text_; }

private:
    template <class T>
    PARE_NOINLINE void write(const char* format, T value) noexcept {
        length_ = static_cast<std::size_t>(std::snprintf(number_, sizeof number_, format, value));
    }

    std::string_view text_;
    char number_[28];
    std::size_t length_ = 0;
};

PARE_NOINLINE inline std::string join(std::initializer_list<sentence_part> parts) {
    std::string out;
    for (const auto& part : parts) {
        out += part.text();
    }
    return out;
}

}  // namespace detail

/// One sentence out of texts and numbers.
template <class... Parts>
std::string sentence(const Parts&... parts) {
    return detail::join({detail::sentence_part(parts)...});
}

PARE_NAMESPACE_END

#endif
