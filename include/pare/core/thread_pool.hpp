#ifndef PARE_CORE_THREAD_POOL_HPP
#define PARE_CORE_THREAD_POOL_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include <pare/config/assert.hpp>

PARE_NAMESPACE_BEGIN

/// A plain executor for programs that have no job system of their own. The calling thread works too. Idle workers spin for some
/// microseconds, because a training step hands out work every few of them, and then sleep. for_each allocates nothing; one thread
/// at a time may call it, and not from inside a body.
class thread_pool {
public:
    /// `threads` counts the caller: thread_pool(1) starts none.
    explicit thread_pool(std::size_t threads) : worker_count_(threads > 1 ? threads - 1 : 0) {
        workers_.reserve(worker_count_);
        for (std::size_t i = 0; i < worker_count_; ++i) {
            workers_.emplace_back([this] { work(); });
        }
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;
    ~thread_pool() {
        run_ = nullptr;
        publish();
        for (auto& worker : workers_) {
            worker.join();
        }
    }

    std::size_t concurrency() const noexcept { return worker_count_ + 1; }

    template <class Body>
    void for_each(std::size_t count, Body&& body) {
        if (worker_count_ == 0 || count < 2) {
            for (std::size_t i = 0; i < count; ++i) {
                body(i);
            }
            return;
        }
        using callable = std::remove_reference_t<Body>;
        run_ = [](void* f, std::size_t i) { (*static_cast<callable*>(f))(i); };
        body_ = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
        count_ = count;
        next_.store(0, std::memory_order_relaxed);
        busy_.store(worker_count_, std::memory_order_relaxed);
        publish();
        take_tasks();
        for (std::size_t left; (left = busy_.load(std::memory_order_acquire)) != 0;) {
            wait_for_change(busy_, left);
        }
    }

private:
    void publish() noexcept {
        generation_.fetch_add(1, std::memory_order_release);
        generation_.notify_all();
    }

    void take_tasks() {
        for (std::size_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
            run_(body_, i);
        }
    }

    void work() {
        for (std::size_t seen = 0;;) {
            wait_for_change(generation_, seen);
            ++seen;
            if (run_ == nullptr) {
                return;
            }
            take_tasks();
            if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                busy_.notify_one();
            }
        }
    }

    static void wait_for_change(const std::atomic<std::size_t>& value, std::size_t old) noexcept {
        for (int spin = 0; spin < 20000; ++spin) {
            if (value.load(std::memory_order_acquire) != old) {
                return;
            }
        }
        value.wait(old, std::memory_order_acquire);
    }

    std::size_t worker_count_;
    void (*run_)(void*, std::size_t) = [](void*, std::size_t) {};
    void* body_ = nullptr;
    std::size_t count_ = 0;
    alignas(64) std::atomic<std::size_t> generation_{0};
    alignas(64) std::atomic<std::size_t> next_{0};
    alignas(64) std::atomic<std::size_t> busy_{0};
    std::vector<std::thread> workers_;
};

PARE_NAMESPACE_END

#endif
