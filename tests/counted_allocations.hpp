#ifndef PARE_TESTS_COUNTED_ALLOCATIONS_HPP
#define PARE_TESTS_COUNTED_ALLOCATIONS_HPP

// For one file of a program.

#include <atomic>
#include <cstdlib>
#include <new>

// Every allocation of this program is counted.
static std::atomic<std::size_t> allocations = 0;

static void* counted(std::size_t size, std::size_t alignment) {
    ++allocations;
    void* const p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (p == nullptr) {
        std::abort();
    }
    return p;
}
void* operator new(std::size_t size) {
    return counted(size, 16);
}
void* operator new(std::size_t size, std::align_val_t a) {
    return counted(size, static_cast<std::size_t>(a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size, 16);
}
void operator delete(void* p) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
    std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    std::free(p);
}

#endif
