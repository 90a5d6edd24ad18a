#ifndef PARE_SIMD_DISPATCH_TABLE_HPP
#define PARE_SIMD_DISPATCH_TABLE_HPP

#include <cstddef>

#include <pare/config/version.hpp>

// What isa::dispatch and its units, which are compiled once per instruction set, say to each other: plain data and function
// pointers. Both sides mean the same types by these names, whatever flags they are compiled with, so there is no function here.
#define PARE_DISPATCH_NAMESPACE_BEGIN \
    namespace pare {                  \
    namespace PARE_JOIN(dispatch_, PARE_ABI_VERSION) {
#define PARE_DISPATCH_NAMESPACE_END \
    }                               \
    }

PARE_DISPATCH_NAMESPACE_BEGIN

/// The host's executor: for_each(executor, count, body, call) is to call(body, i) for every i in [0, count).
struct executor_functions {
    void* executor;
    std::size_t concurrency;
    void (*for_each)(void* executor, std::size_t count, void* body, void (*call)(void* body, std::size_t i));
};

/// An operation of the table: argument i is at arguments[i], an object of the type that the operation takes.
using operation = void (*)(const executor_functions* executor, const void* const* arguments);

/// The operations of one instruction set, in the order of the list in nn/dispatch.hpp.
struct table {
    const char* isa;
    const operation* operations;
    std::size_t count;
};

/// What pare_add_dispatch() linked into the program, worst first.
using unit = const table* (*)() noexcept;
struct unit_list {
    const unit* units;
    std::size_t count;
};
/// Defined where CMake's pare_add_dispatch(target) was called for the target.
unit_list units_of_pare_add_dispatch() noexcept;

/// A matrix of weights: element (row, column) is stored where bit row * columns + column of `kept` is set, all are where it is
/// null; `values` are what is stored, in the order of the layout.
struct weights {
    std::size_t rows;
    std::size_t columns;
    const unsigned char* kept;
    const void* values;
    std::size_t value_bytes;
    const void* scales;
    std::size_t scale_bytes;
    const void* zero_points;
    std::size_t zero_point_bytes;
};

/// y [rows, weights.rows] = x [rows, weights.columns] times the weights.
struct product {
    std::byte* scratch;
    std::size_t scratch_bytes;
    const float* x;
    float* y;
    std::size_t rows;
    std::size_t columns;
    std::size_t outputs;
    std::size_t x_stride;
    std::size_t y_stride;
};

/// y = f(x), x a batch of samples: its extents, the batch first.
struct batch {
    std::byte* scratch;
    std::size_t scratch_bytes;
    const float* x;
    float* y;
    const std::size_t* extents;
    std::size_t rank;
};

PARE_DISPATCH_NAMESPACE_END

#endif
