#ifndef PARE_SIMD_DISPATCH_HPP
#define PARE_SIMD_DISPATCH_HPP

#include <concepts>
#include <cstdlib>
#include <string>
#include <string_view>

#include <pare/core/result.hpp>
#include <pare/simd/cpu.hpp>
#include <pare/simd/dispatch_table.hpp>
#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace dispatch_abi = PARE_JOIN(dispatch_, PARE_ABI_VERSION);

namespace isa {

/// The instruction set that is chosen at run time. A tag like any other, which is also a value: which one it is. Its kernels come
/// from units that CMake's pare_add_dispatch(target) compiles, one per instruction set, so that nothing else needs flags for one.
/// Without that call, the linker misses units_of_pare_add_dispatch().
class dispatch {
public:
    static constexpr const char* name = "dispatch";
    static constexpr bool compiled = true;

    /// The best of those that are compiled in and that this CPU has. Asks the CPU: make it once, not per call.
    dispatch() noexcept {
        const auto cpu = simd::cpu_features::detect();
        for_each_unit([&](const dispatch_abi::table* unit) {
            if (cpu.has(unit->isa)) {
                table_ = unit;
            }
        });
    }

    /// The one of that name. Errors: a name that is none, that is not compiled in, or that this CPU does not have.
    static result<dispatch> named(std::string_view isa) { return find(isa, "isa::dispatch"); }

    /// The one that the environment variable PARE_ISA names, or the best where it is not set or empty. Errors: as named().
    static result<dispatch> from_environment() {
        const char* const value = std::getenv("PARE_ISA");
        return value == nullptr || *value == '\0' ? result<dispatch>(dispatch()) : find(value, "PARE_ISA in the environment");
    }

    /// The names of those that named() accepts on this CPU, worst first: calls f(const char*) for each.
    template <class F>
    static void for_each_usable(F&& f) {
        const auto cpu = simd::cpu_features::detect();
        for_each_unit([&](const dispatch_abi::table* unit) {
            if (cpu.has(unit->isa)) {
                f(unit->isa);
            }
        });
    }

    /// The name of the instruction set that runs.
    const char* running() const noexcept { return table_->isa; }
    const dispatch_abi::table& table() const noexcept { return *table_; }

private:
    explicit dispatch(const dispatch_abi::table* t) noexcept : table_(t) {}

    template <class F>
    static void for_each_unit(F&& f) {
        const auto list = dispatch_abi::units_of_pare_add_dispatch();
        for (std::size_t i = 0; i < list.count; ++i) {
            f(list.units[i]());
        }
    }

    static result<dispatch> find(std::string_view isa, const char* whose) {
        const dispatch_abi::table* found = nullptr;
        std::string compiled_in;
        for_each_unit([&](const dispatch_abi::table* unit) {
            found = isa == unit->isa ? unit : found;
            compiled_in += sentence(compiled_in.empty() ? "" : ", ", unit->isa);
        });
        const auto problem = [&](const auto&... what) {
            return error{error_code::invalid_argument, sentence(whose, ": expected ", what..., "; found \"", isa, "\"")};
        };
        std::string known;
        all::for_each_name([&](const char* one) { known += sentence(known.empty() ? "" : ", ", one); });
        if ((", " + known + ",").find(sentence(", ", isa, ",")) == std::string::npos) {
            return problem("an instruction set out of ", known);
        }
        if (found == nullptr) {
            return problem("an instruction set that pare_add_dispatch() compiled into this program, out of ", compiled_in);
        }
        if (!simd::cpu_features::detect().has(isa)) {
            std::string usable;
            for_each_usable([&](const char* one) { usable += sentence(usable.empty() ? "" : ", ", one); });
            return problem("an instruction set that this CPU has, out of ", usable);
        }
        return dispatch(found);
    }

    const dispatch_abi::table* table_ = nullptr;
};

/// No instruction set: as many lanes and as wide activations as the largest of those that isa::dispatch may choose, for the sizes
/// of memory that is allotted before it is known which.
struct widest {
    static constexpr const char* name = "widest";
    static constexpr bool compiled = false;
};

}  // namespace isa

namespace simd {

template <>
struct ops<isa::widest> : ops<isa::scalar> {
    static constexpr std::size_t lanes = 16;
    using activation = std::int16_t;
};

template <std::same_as<isa::dispatch> Isa>
struct ops<Isa> {
    static_assert(!std::is_same_v<Isa, isa::dispatch>,
                  "pare: this layer has a kernel that is not in the table of isa::dispatch: nn/dispatch.hpp lists what is, and "
                  "says how a kernel gets there");
};

}  // namespace simd

PARE_NAMESPACE_END

#endif
