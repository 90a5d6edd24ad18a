#include <pare/core/executor.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <pare/core/thread_pool.hpp>

#include "../catch.hpp"

using namespace pare;

static_assert(executor<serial_executor>);
static_assert(executor<thread_pool>);
static_assert(!executor<int>);

TEST_CASE("every task runs exactly once, on any number of threads") {
    for (const std::size_t threads : {1u, 2u, 3u, 8u}) {
        thread_pool pool(threads);
        CHECK(pool.concurrency() == threads);
        for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
            std::vector<std::atomic<int>> runs(count);
            pool.for_each(count, [&](std::size_t i) { ++runs[i]; });
            for (const auto& n : runs) {
                REQUIRE(n == 1);
            }
        }
    }
}

TEST_CASE("a pool takes many small jobs in a row") {
    thread_pool pool(3);
    std::atomic<std::size_t> sum{0};
    for (int job = 0; job < 5000; ++job) {
        pool.for_each(4, [&](std::size_t i) { sum += i; });
    }
    CHECK(sum == 5000 * 6);
}

TEST_CASE("workers that come late take no task of another call") {
    thread_pool pool(4);
    for (std::size_t job = 0; job < 20000; ++job) {
        const std::size_t count = 2 + job * 7 % 11;  // other counts in turn
        std::atomic<std::uint64_t> ran{0};
        pool.for_each(count, [&](std::size_t i) { ran.fetch_add(std::uint64_t{1} << (4 * i)); });
        std::uint64_t each_once = 0;
        for (std::size_t i = 0; i < count; ++i) {
            each_once |= std::uint64_t{1} << (4 * i);
        }
        REQUIRE(ran == each_once);
    }
}

TEST_CASE("idle workers sleep and wake again") {
    thread_pool pool(2);
    std::atomic<int> runs{0};
    for (int job = 0; job < 3; ++job) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        pool.for_each(16, [&](std::size_t) { ++runs; });
    }
    CHECK(runs == 48);
}
