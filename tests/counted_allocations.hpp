#ifndef PARE_TESTS_COUNTED_ALLOCATIONS_HPP
#define PARE_TESTS_COUNTED_ALLOCATIONS_HPP

// For one file of a program.

#include <atomic>
#include <cstdlib>
#include <new>

#include <pare/config/compiler.hpp>

// Every allocation of this program is counted. Nothing is inlined: g++ 12 takes a free() that it sees behind a new for a mistake.
static std::atomic<std::size_t> allocations = 0;
static std::atomic<std::size_t> allocated_bytes = 0;  // in all, whether they were freed again or not

static PARE_NOINLINE void* counted(std::size_t size, std::size_t alignment) {
    ++allocations;
    allocated_bytes += size;
    void* const p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (p == nullptr) {
        std::abort();
    }
    return p;
}
PARE_NOINLINE void* operator new(std::size_t size) {
    return counted(size, 16);
}
PARE_NOINLINE void* operator new(std::size_t size, std::align_val_t a) {
    return counted(size, static_cast<std::size_t>(a));
}
PARE_NOINLINE void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size, 16);
}
PARE_NOINLINE void operator delete(void* p) noexcept {
    std::free(p);
}
PARE_NOINLINE void operator delete(void* p, std::size_t) noexcept {
    std::free(p);
}
PARE_NOINLINE void operator delete(void* p, std::align_val_t) noexcept {
    std::free(p);
}
PARE_NOINLINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    std::free(p);
}

#endif
