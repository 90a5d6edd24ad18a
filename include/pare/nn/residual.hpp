#ifndef PARE_NN_RESIDUAL_HPP
#define PARE_NN_RESIDUAL_HPP

#include <algorithm>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/quantized_values.hpp>
#include <pare/nn/sequential.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// sums += terms.
struct add_numbers_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, std::size_t n, const float* terms, float* sums) {
        kernels::transform<Isa>(
            executor, n, sums, [](auto a, auto b) { return a + b; }, sums, terms);
    }
};

}  // namespace detail

/// The shapes of a residual block: those of its body, which keeps the shape.
template <class Plan>
struct residual_plan {
    static constexpr bool is_static = Plan::is_static;

    Plan body;

    constexpr auto input_shape() const noexcept requires has_input_shape<Plan> { return body.input_shape(); }
    template <class Shape>
    constexpr Shape output_shape(const Shape& input) const noexcept {
        const auto out = body.output_shape(input);
        static_assert(static_size(decltype(out){}) == static_size(Shape{}) || static_size(decltype(out){}) == dyn ||
                          static_size(Shape{}) == dyn,
                      "pare: the body of a residual block must give as many numbers as it takes");
        PARE_ASSERT(out.size() == input.size(), "a residual block takes %zu numbers, its body gives %zu", input.size(), out.size());
        return input;
    }
    template <class Shape>
    constexpr std::size_t scratch_bytes(std::size_t batch, const Shape& input) const noexcept {
        return pare::scratch_bytes(body, batch, input);
    }
};

/// y = x + body(x). He, Zhang, Ren, Sun 2016. Its members are called "body.<name>".
template <class Body>
struct residual {
    static constexpr bool has_byte_form = true;
    static constexpr bool takes_single_steps = pare::takes_single_steps<Body>;

    Body body;

    explicit residual(Body b) : body(std::move(b)) {}

    constexpr auto plan() const { return residual_plan<decltype(body.plan())>{body.plan()}; }

    template <class Context, std::size_t... X>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, X...> y) const noexcept {
        forward_from(ctx, x, y, nullptr);
    }
    std::size_t state_floats(std::size_t batch) const noexcept { return pare::state_floats(body, batch); }
    template <class Context, class X, class Y>
    void forward_from(Context& ctx, const X& x, const Y& y, float* state) const noexcept {
        pare::forward_from(body, ctx, x, output_of_body(x, y.data()), state);
        kernels::call<detail::add_numbers_operation>(ctx, x.size(), x.data(), y.data());
    }

    template <std::size_t... N>
    std::size_t saved_floats(std::size_t batch, const extents<N...>& input) const noexcept {
        return saved_piece(batch * input.size()) + pare::saved_floats(body, batch, input);
    }

    /// Saves the body's output, which its backward pass may look at.
    template <class Context, std::size_t... X>
    void forward_training(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, X...> y,
                          std::span<float> saved) noexcept {
        float* const inner = take_saved(saved, x.size()).data();
        pare::forward_training(body, ctx, x, output_of_body(x, inner), saved);
        kernels::transform<typename Context::isa>(
            ctx.executor, x.size(), y.data(), [](auto a, auto b) { return a + b; }, x.data(), static_cast<const float*>(inner));
    }

    template <class Context, std::size_t... X>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, X...>, tensor_view<const float, X...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient, std::span<float> saved) const noexcept {
        const float* const inner = take_saved(saved, x.size()).data();
        pare::backward(body, ctx, x, output_of_body(x, inner), output_of_body(x, dy.data()), dx, gradient, saved);
        if (dx.data() != nullptr) {
            kernels::call<detail::add_numbers_operation>(ctx, x.size(), dy.data(), dx.data());
        }
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        return pare::training_scratch_bytes<Isa>(body, batch, input);
    }

    template <class Self>
    static auto parts(Self& self) noexcept {
        return named_parts<"body">(self.body);
    }
    template <class Other>
    static auto with_parts(Other other) {
        return pare::residual<Other>(std::move(other));
    }

    /// Where the body ends in quantized_values.
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower& lower) const requires detail::ends_quantized<Body> {
        const static_range& end = detail::last_range(body);
        auto lowered = lower(body, x, end);
        using plan_type = residual_plan<decltype(lowered.plan())>;
        return detail::byte_sum<plan_type, decltype(lowered)>{
            {lowered.plan()}, {std::move(lowered)}, {x.input, end.input, detail::output_of(y)}, "residual"};
    }

    std::string describe() const { return "residual (" + describe_layer(body) + ")"; }

private:
    template <class X, class T>
    auto output_of_body(const X& x, T* data) const noexcept {
        return batch_of(data, x.extent(0), body.plan().output_shape(sample_shape(x)));
    }
};

PARE_NAMESPACE_END

#endif
