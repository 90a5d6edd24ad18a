#ifndef PARE_DISTILL_CALLABLE_TEACHER_HPP
#define PARE_DISTILL_CALLABLE_TEACHER_HPP

#include <cstddef>

#include <pare/nn/prepare.hpp>

PARE_NAMESPACE_BEGIN

/// A teacher that is no model of this library, such as another engine: a function object void(inputs [batch * size], outputs
/// [batch, classes]) that gives the logits of a batch of samples.
template <class F>
struct callable_teacher {
    F logits;
    std::size_t classes;
};
template <class F>
callable_teacher(F, std::size_t) -> callable_teacher<F>;

namespace detail {

template <class T>
inline constexpr bool is_callable_teacher = false;
template <class F>
inline constexpr bool is_callable_teacher<callable_teacher<F>> = true;
template <class T>
inline constexpr bool is_prepared = false;
template <class Isa, class Model>
inline constexpr bool is_prepared<prepared<Isa, Model>> = true;

}  // namespace detail

PARE_NAMESPACE_END

#endif
