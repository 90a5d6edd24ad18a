#ifndef PARE_CORE_THREAD_POOL_HPP
#define PARE_CORE_THREAD_POOL_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
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
        stopping_.store(true, std::memory_order_relaxed);
        publish();
        for (auto& worker : workers_) {
            worker.join();
        }
    }

    std::size_t concurrency() const noexcept { return worker_count_ + 1; }

    template <class Body>
    void for_each(std::size_t count, Body&& body) {
        PARE_ASSERT(count <= index_mask, "%zu tasks", count);
        if (worker_count_ == 0 || count < 2) {
            for (std::size_t i = 0; i < count; ++i) {
                body(i);
            }
            return;
        }
        using callable = std::remove_reference_t<Body>;
        run_.store([](void* f, std::size_t i) { (*static_cast<callable*>(f))(i); }, std::memory_order_relaxed);
        body_.store(const_cast<void*>(static_cast<const void*>(std::addressof(body))), std::memory_order_relaxed);
        count_.store(count, std::memory_order_relaxed);
        done_.store(0, std::memory_order_relaxed);
        left_.store((generation_.load(std::memory_order_relaxed) + 1) << index_bits | count, std::memory_order_release);
        publish();
        take_tasks();
        for (std::size_t done; (done = done_.load(std::memory_order_acquire)) != count;) {
            wait_for_change(done_, done);
        }
    }

private:
    static constexpr unsigned index_bits = 32;
    static constexpr std::uint64_t index_mask = (std::uint64_t{1} << index_bits) - 1;

    void publish() noexcept {
        generation_.fetch_add(1, std::memory_order_release);
        generation_.notify_all();
    }

    /// Takes tasks of the call that is under way until none is left. A worker that wakes late may come into a later call, or find
    /// none. Which call it is and how many tasks are left is one number, so a task that is taken belongs to a call that cannot end
    /// before it is done: only then may its body be read.
    void take_tasks() {
        std::uint64_t left = left_.load(std::memory_order_acquire);
        while ((left & index_mask) != 0) {
            if (left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
                const std::size_t count = count_.load(std::memory_order_relaxed);
                run_.load(std::memory_order_relaxed)(body_.load(std::memory_order_relaxed),
                                                     count - static_cast<std::size_t>(left & index_mask));
                if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
                    done_.notify_one();
                }
                left = left_.load(std::memory_order_acquire);
            }
        }
    }

    void work() {
        for (std::uint64_t seen = 0;;) {
            wait_for_change(generation_, seen);
            seen = generation_.load(std::memory_order_acquire);
            if (stopping_.load(std::memory_order_relaxed)) {
                return;
            }
            take_tasks();
        }
    }

    template <class T>
    static void wait_for_change(const std::atomic<T>& value, T old) noexcept {
        for (int spin = 0; spin < 20000; ++spin) {
            if (value.load(std::memory_order_acquire) != old) {
                return;
            }
        }
        value.wait(old, std::memory_order_acquire);
    }

    std::size_t worker_count_;
    std::atomic<bool> stopping_{false};
    std::atomic<void (*)(void*, std::size_t)> run_{nullptr};
    std::atomic<void*> body_{nullptr};
    std::atomic<std::size_t> count_{0};
    alignas(64) std::atomic<std::uint64_t> generation_{0};
    alignas(64) std::atomic<std::uint64_t> left_{0};  // which call it is, and how many of its tasks nobody has taken
    alignas(64) std::atomic<std::size_t> done_{0};
    std::vector<std::thread> workers_;
};

PARE_NAMESPACE_END

#endif
