#ifndef PARE_CORE_WORKSPACE_HPP
#define PARE_CORE_WORKSPACE_HPP

#include <cstddef>
#include <span>

#include <pare/core/aligned.hpp>

PARE_NAMESPACE_BEGIN

/// Bytes that an arena needs for `count` elements of T.
template <class T>
constexpr std::size_t scratch_bytes_of(std::size_t count) noexcept {
    return round_up(count * sizeof(T), alignment);
}

/// Hands out cache-line aligned pieces of memory that somebody else owns, in order. A copy is a mark: pieces taken from the copy
/// are free again when it goes out of use.
class arena {
public:
    arena() noexcept = default;
    arena(std::byte* memory, std::size_t size) noexcept : next_(memory), left_(size) {}

    template <class T>
    T* take(std::size_t count) noexcept {
        const std::size_t bytes = scratch_bytes_of<T>(count);
        PARE_ASSERT(
            bytes <= left_,
            "the workspace is too small: %zu more bytes are needed, %zu are left; make it with workspace_for(model, largest batch)",
            bytes, left_);
        std::byte* piece = next_;
        next_ += bytes;
        left_ -= bytes;
        return reinterpret_cast<T*>(piece);
    }

    std::size_t left() const noexcept { return left_; }

    /// The arena and `behind`, where that begins where the arena ends; else the arena alone.
    arena with(std::span<float> behind) const noexcept {
        const bool adjacent = reinterpret_cast<std::byte*>(behind.data()) == next_ + left_;
        return {next_, left_ + (adjacent ? behind.size_bytes() : 0)};
    }

private:
    std::byte* next_ = nullptr;
    std::size_t left_ = 0;
};

/// The memory of one inference or training step at a time. Threads that share a model each have one.
class workspace {
public:
    workspace() noexcept = default;
    explicit workspace(std::size_t bytes) : memory_(bytes) {}

    std::size_t size() const noexcept { return memory_.size(); }
    arena scratch() noexcept { return {memory_.data(), memory_.size()}; }

private:
    aligned_array<std::byte> memory_;
};

PARE_NAMESPACE_END

#endif
