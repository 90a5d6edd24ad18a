#ifndef PARE_CORE_ALIGNED_HPP
#define PARE_CORE_ALIGNED_HPP

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include <pare/config/assert.hpp>
#include <pare/config/compiler.hpp>

PARE_NAMESPACE_BEGIN

/// Every array the library owns begins on a cache line, which is also the widest vector register.
inline constexpr std::size_t alignment = 64;

constexpr std::size_t round_up(std::size_t n, std::size_t multiple) noexcept {
    return (n + multiple - 1) / multiple * multiple;
}

/// A zero-initialized heap array of trivially copyable elements that begins on a cache line. A value: copies are deep.
template <class T>
class aligned_array {
    static_assert(std::is_trivially_copyable_v<T>, "pare::aligned_array holds plain numbers; use std::vector for other types");

public:
    aligned_array() noexcept = default;

    explicit aligned_array(std::size_t size) : size_(size) {
        PARE_ASSERT(size <= static_cast<std::size_t>(-1) / sizeof(T), "an array of %zu elements", size);
        if (size != 0) {
            data_ = static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{alignment}));
            std::memset(static_cast<void*>(data_), 0, size * sizeof(T));
        }
    }

    aligned_array(const aligned_array& other) : aligned_array(other.size_) {
        if (size_ != 0) {
            std::memcpy(static_cast<void*>(data_), other.data_, size_ * sizeof(T));
        }
    }
    aligned_array(aligned_array&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    aligned_array& operator=(aligned_array other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    // GCC 12 warns of alternatives that a std::variant does not hold, too, whose destructors it has inlined but does not call.
    PARE_NOT_UNINITIALIZED_BEGIN
    ~aligned_array() {
        if (data_ != nullptr) {
            ::operator delete (static_cast<void*>(data_), std::align_val_t{alignment});
        }
    }
    PARE_NOT_UNINITIALIZED_END

    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

PARE_NAMESPACE_END

#endif
