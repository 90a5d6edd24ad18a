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

template <class List>
struct unit_table;
template <class... Operation>
struct unit_table<kernels::operation_list<Operation...>> {
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
