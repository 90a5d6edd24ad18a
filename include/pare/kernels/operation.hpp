#ifndef PARE_KERNELS_OPERATION_HPP
#define PARE_KERNELS_OPERATION_HPP

#include <bit>
#include <cstring>
#include <memory>
#include <type_traits>

#include <pare/core/context.hpp>
#include <pare/simd/dispatch.hpp>

PARE_NAMESPACE_BEGIN

/// An operation is a kernel that isa::dispatch can call: a type with
///
///     template <class Isa, class Executor>
///     static void run(Executor&, arguments...)
///
/// whose arguments are trivially copyable: they cross the border between translation units of different flags as bytes. On any
/// other instruction set than isa::dispatch, a call of an operation is a call of its run().
namespace kernels {

template <class... Operation>
struct operation_list {
    static constexpr std::size_t size = sizeof...(Operation);

    template <class Wanted>
    static constexpr std::size_t index_of() noexcept {
        constexpr bool same[] = {std::is_same_v<Wanted, Operation>..., true};
        std::size_t i = 0;
        while (!same[i]) {
            ++i;
        }
        return i;
    }
};

template <class... Lists>
struct joined;
template <class... A>
struct joined<operation_list<A...>> {
    using type = operation_list<A...>;
};
template <class... A, class... B, class... Rest>
struct joined<operation_list<A...>, operation_list<B...>, Rest...> : joined<operation_list<A..., B...>, Rest...> {};

/// The operations that the units of isa::dispatch have, in the order of their tables: defined in nn/dispatch.hpp, which knows them
/// all. The parameter is void; it lets code that comes before use the list.
template <class>
struct dispatched_operations;

template <class Operation>
inline constexpr std::size_t operation_index =
    dispatched_operations<std::conditional_t<sizeof(Operation) != 0, void, Operation>>::type::template index_of<Operation>();
template <class Operation>
inline constexpr bool is_dispatched =
    operation_index<Operation> < dispatched_operations<std::conditional_t<sizeof(Operation) != 0, void, Operation>>::type::size;

/// Plain functions for a host's executor.
template <class Executor>
dispatch_abi::executor_functions functions_of(Executor& executor) noexcept {
    using plain = std::remove_const_t<Executor>;
    return {const_cast<plain*>(std::addressof(executor)), static_cast<std::size_t>(executor.concurrency()),
            [](void* self, std::size_t count, void* body, void (*call)(void*, std::size_t)) {
                static_cast<Executor*>(static_cast<plain*>(self))->for_each(count, [body, call](std::size_t i) { call(body, i); });
            }};
}

/// An executor of plain functions: the host's, inside of a unit.
class foreign_executor {
public:
    explicit foreign_executor(const dispatch_abi::executor_functions* f) noexcept : functions_(f) {}

    std::size_t concurrency() const noexcept { return functions_->concurrency; }

    template <class Body>
    void for_each(std::size_t count, Body&& body) const {
        using plain = std::remove_reference_t<Body>;
        functions_->for_each(functions_->executor, count, const_cast<std::remove_const_t<plain>*>(&body),
                             [](void* b, std::size_t i) { (*static_cast<plain*>(b))(i); });
    }

private:
    const dispatch_abi::executor_functions* functions_;
};

namespace detail {

template <class Function>
struct operation_signature;
template <class Executor, class... A>
struct operation_signature<void (*)(Executor&, A...)> {
    static_assert((std::is_trivially_copyable_v<A> && ...), "pare: the arguments of an operation must be trivially copyable");

    /// On the host's side: the arguments' addresses.
    static void call(dispatch_abi::operation function, const dispatch_abi::executor_functions* executor, const A&... a) {
        const void* const addresses[] = {static_cast<const void*>(std::addressof(a))..., nullptr};
        function(executor, addresses);
    }

    /// In the unit: copies of the bytes, as what they are called there.
    template <class Operation, class Isa>
    static void unpack(const dispatch_abi::executor_functions* functions, const void* const* addresses) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            foreign_executor executor(functions);
            Operation::template run<Isa>(executor, copy_of<A>(addresses[I])...);
        }
        (std::index_sequence_for<A...>{});
    }

private:
    template <class T>
    struct bytes_of {
        unsigned char byte[sizeof(T)];
    };
    template <class T>
    PARE_INLINE static T copy_of(const void* from) noexcept {
        bytes_of<T> bytes;
        std::memcpy(&bytes, from, sizeof bytes);
        return std::bit_cast<T>(bytes);
    }
};

template <class Operation, class Isa, class Executor>
using signature_of = operation_signature<decltype(&Operation::template run<Isa, Executor>)>;

}  // namespace detail

/// Calls an operation of a table.
template <class Operation, class... Arguments>
void call_in_table(isa::dispatch chosen, const dispatch_abi::executor_functions* executor, const Arguments&... arguments) {
    static_assert(is_dispatched<Operation>,
                  "pare: this operation is not in the table of isa::dispatch; add it to the list in nn/dispatch.hpp");
    if constexpr (is_dispatched<Operation>) {
        detail::signature_of<Operation, isa::scalar, serial_executor>::call(chosen.table().operations[operation_index<Operation>],
                                                                            executor, arguments...);
    }
}

/// Calls an operation on the instruction set of a context.
template <class Operation, class Isa, class Executor, class... Arguments>
PARE_INLINE void call(const context<Isa, Executor>& ctx, const Arguments&... arguments) {
    if constexpr (std::is_same_v<Isa, isa::dispatch>) {
        const auto executor = functions_of(ctx.executor);
        call_in_table<Operation>(ctx.instruction_set, &executor, arguments...);
    } else {
        Operation::template run<Isa>(ctx.executor, arguments...);
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
