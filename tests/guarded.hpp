#ifndef PARE_TESTS_GUARDED_HPP
#define PARE_TESTS_GUARDED_HPP

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <type_traits>

/// Where an array lies between two pages that may not be touched.
enum class at { begin, end };

/// An array that ends (or begins) exactly where a forbidden page begins (or ends): whoever reads or writes outside it stops the
/// test.
template <class T>
class guarded {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    explicit guarded(std::size_t size, at place = at::end) : size_(size) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t inner = (size * sizeof(T) + page - 1) / page * page;
        mapped_ = inner + 2 * page;
        void* const memory = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            std::abort();
        }
        base_ = static_cast<unsigned char*>(memory);
        if (inner != 0 && mprotect(base_ + page, inner, PROT_READ | PROT_WRITE) != 0) {
            std::abort();
        }
        data_ = reinterpret_cast<T*>(base_ + page + (place == at::end ? inner - size * sizeof(T) : 0));
    }
    guarded(const guarded&) = delete;
    guarded& operator=(const guarded&) = delete;
    ~guarded() { munmap(base_, mapped_); }

    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }

private:
    unsigned char* base_ = nullptr;
    std::size_t mapped_ = 0;
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

#endif
