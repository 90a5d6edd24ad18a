#ifndef PARE_CORE_CONTEXT_HPP
#define PARE_CORE_CONTEXT_HPP

#include <pare/core/executor.hpp>
#include <pare/core/random.hpp>
#include <pare/core/workspace.hpp>

PARE_NAMESPACE_BEGIN

/// What a computation may use: the instruction set, who runs the pieces, memory for intermediate results and, in training, random
/// numbers that belong to this layer and this step: the same whenever that step is run again.
template <class Isa, class Executor>
struct context {
    using isa = Isa;

    Executor& executor;
    arena scratch;
    random_numbers random{seed{0}, 0};
    [[no_unique_address]] Isa instruction_set{};  // which one, where the type leaves that open
};

PARE_NAMESPACE_END

#endif
