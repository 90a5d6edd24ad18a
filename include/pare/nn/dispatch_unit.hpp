#ifndef PARE_NN_DISPATCH_UNIT_HPP
#define PARE_NN_DISPATCH_UNIT_HPP

// A unit of isa::dispatch: what pare_add_dispatch() in CMake compiles once per instruction set, with PARE_DISPATCH_UNIT as its name
// and with the compiler's flags for it. The only symbol of pare in it is the function at the end; the namespace of everything else
// has no name (config/version.hpp), and xsimd gets one of its own.
#if defined(PARE_DISPATCH_UNIT)

#include <pare/config/version.hpp>

#define xsimd PARE_JOIN(xsimd_of_pare_unit_, PARE_DISPATCH_UNIT)

#include <pare/nn/dispatch.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

using unit_isa = isa::PARE_DISPATCH_UNIT;

static_assert(unit_isa::compiled, "pare: the flags of this unit do not allow the instruction set it is for");
static_assert(simd::ops<unit_isa>::lanes <= simd::ops<isa::widest>::lanes &&
                  sizeof(simd::ops<unit_isa>::activation) <= sizeof(simd::ops<isa::widest>::activation),
              "pare: isa::widest in simd/dispatch.hpp must be as wide as every instruction set");

/// Workspaces have the sizes of isa::widest: they must do for this one.
template <class Operation>
inline constexpr bool fits = true;
template <class Weights, class Activations>
inline constexpr bool fits<multiply_operation<Weights, Activations>> = [] {
    for (const std::size_t batch : {1u, 3u, 300u}) {
        for (const std::size_t k : {1u, 100u, 5000u}) {
            if (packed<Weights, unit_isa>::scratch_bytes(Activations{}, batch, 77, k) >
                packed<Weights, isa::widest>::scratch_bytes(Activations{}, batch, 77, k)) {
                return false;
            }
        }
    }
    return true;
}();
template <class Weights, class Activations>
inline constexpr bool fits<convolve_operation<Weights, Activations, kernels::add_bias>> = [] {
    for (const std::size_t channels : {1u, 3u, 16u}) {
        for (const std::size_t groups : {std::size_t{1}, channels}) {
            kernels::convolution s;
            s.height = s.width = 13;
            s.channels = s.outputs = channels;
            s.groups = groups;
            s.kernel_height = s.kernel_width = 3;
            s.padding_height = s.padding_width = 1;
            if (packed_convolution<Weights, unit_isa>::scratch_bytes(Activations{}, s) >
                packed_convolution<Weights, isa::widest>::scratch_bytes(Activations{}, s)) {
                return false;
            }
        }
    }
    return true;
}();

template <class List>
struct unit_table;
template <class... Operation>
struct unit_table<kernels::operation_list<Operation...>> {
    static_assert((fits<Operation> && ...), "pare: an operation needs more memory here than isa::widest says");

    static constexpr dispatch_abi::operation operations[] = {
        &kernels::detail::signature_of<Operation, unit_isa, kernels::foreign_executor>::template unpack<Operation, unit_isa>...};
    static constexpr dispatch_abi::table value = {unit_isa::name, operations, sizeof...(Operation)};
};

}  // namespace detail

PARE_NAMESPACE_END

PARE_DISPATCH_NAMESPACE_BEGIN

const table* PARE_JOIN(unit_, PARE_DISPATCH_UNIT)() noexcept;
const table* PARE_JOIN(unit_, PARE_DISPATCH_UNIT)() noexcept {
    return &detail::unit_table<kernels::dispatched_operations<void>::type>::value;
}

PARE_DISPATCH_NAMESPACE_END

#endif

#endif
