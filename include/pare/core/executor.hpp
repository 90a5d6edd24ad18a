#ifndef PARE_CORE_EXECUTOR_HPP
#define PARE_CORE_EXECUTOR_HPP

#include <concepts>
#include <cstddef>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Something that calls body(i) once for every i in [0, count), on any threads in any order, and returns when all calls have. The
/// library hands out work only through one of these and starts no thread itself. A host wraps its own job system in a struct of two
/// functions. How work is split never depends on concurrency(), so results have the same bits on every executor.
template <class E>
concept executor = requires(E& e, void (*body)(std::size_t)) {
    { e.concurrency() } -> std::convertible_to<std::size_t>;
    e.for_each(std::size_t{}, body);
};

/// The default: everything on the calling thread.
struct serial_executor {
    static constexpr std::size_t concurrency() noexcept { return 1; }

    template <class Body>
    void for_each(std::size_t count, Body&& body) const {
        for (std::size_t i = 0; i < count; ++i) {
            body(i);
        }
    }
};

PARE_NAMESPACE_END

#endif
