#ifndef PARE_CORE_CONTEXT_HPP
#define PARE_CORE_CONTEXT_HPP

#include <pare/core/executor.hpp>
#include <pare/core/workspace.hpp>

PARE_NAMESPACE_BEGIN

/// What a computation may use: the instruction set, who runs the pieces, and memory for intermediate results.
template <class Isa, class Executor>
struct context {
    using isa = Isa;

    Executor& executor;
    arena scratch;
};

PARE_NAMESPACE_END

#endif
