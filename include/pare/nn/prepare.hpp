#ifndef PARE_NN_PREPARE_HPP
#define PARE_NN_PREPARE_HPP

#include <span>
#include <string>

#include <pare/core/tuple.hpp>
#include <pare/kernels/packed_bsr.hpp>
#include <pare/kernels/packed_conv.hpp>
#include <pare/kernels/packed_csr.hpp>
#include <pare/kernels/packed_full.hpp>
#include <pare/kernels/packed_groups.hpp>
#include <pare/kernels/packed_mixed.hpp>
#include <pare/kernels/packed_n_of_m.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/fold.hpp>
#include <pare/nn/static_network.hpp>

PARE_NAMESPACE_BEGIN

/// A layer with the element-wise layers that followed it, which now happen in its epilogue.
template <class Layer, class... Fused>
struct fused {
    static constexpr bool takes_single_steps = pare::takes_single_steps<Layer>;

    Layer layer;
    std::tuple<Fused...> stages;

    constexpr auto plan() const { return layer.plan(); }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        detail::apply([&](const auto&... f) { layer.forward(ctx, x, y, f.stage()...); }, stages);
    }
    template <class Self, class F>
    static void members(Self& self, F&& f) {
        for_each_member(self.layer, f);
    }
    std::string describe() const {
        return describe_layer(layer) +
               detail::apply([](const auto&... f) { return (std::string() + ... + (" + " + describe_layer(f))); }, stages);
    }
};

namespace detail {

/// Weights to the form that one instruction set reads.
template <class Isa>
struct pack_weights {
    [[no_unique_address]] Isa instruction_set{};

    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        using made = packed<form_for<Weights, Activations>, Isa>;
        constexpr bool known = requires {
            made(in_form_for(w, a));
        };
        static_assert(
            known,
            "pare: prepare() has no kernel for this storage of weights; freeze() the model first if it is still in training");
        if constexpr (known) {
            return mapped_weights<made, Activations>{made(in_form_for(w, a)), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, const kernels::convolution& s) const {
        using made = packed_convolution<std::remove_cvref_t<decltype(convolution_form_for(w, a))>, Isa>;
        constexpr bool known = requires { made(convolution_form_for(w, a), s); };
        static_assert(
            known,
            "pare: prepare() has no kernel for this storage of weights; freeze() the model first if it is still in training");
        if constexpr (known) {
            return mapped_weights<made, Activations>{made(convolution_form_for(w, a), s), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
};

/// The layers that are done, then the others with their stages. What is made here lives until the innermost call has moved it into
/// the result.
template <class... Done>
auto fuse(std::tuple<Done&...> done) {
    return tied_layers(done);
}
template <class... Done, class Layer, class... Rest>
auto fuse(std::tuple<Done&...> done, Layer& layer, Rest&... rest);

template <class... Done, class Layer, class... Fused>
auto fuse_into(std::tuple<Done&...> done, fused<Layer, Fused...> f) {
    return fuse(tie_more(done, f));
}
template <class... Done, class Layer, class... Fused, class Next, class... Rest>
auto fuse_into(std::tuple<Done&...> done, fused<Layer, Fused...> f, Next& next, Rest&... rest) {
    if constexpr (has_stage<Next>) {
        return fuse_into(done, fused<Layer, Fused..., Next>{std::move(f.layer), append(std::move(f.stages), next)}, rest...);
    } else {
        return fuse(tie_more(done, f), next, rest...);
    }
}
/// The same for what a container holds.
template <class Layer>
auto fuse_inside(const Layer& layer) {
    return layer;
}
template <class... Layers>
auto fuse_inside(const sequential<Layers...>& network) {
    auto layers = network.layers;
    return detail::apply([](auto&... l) { return fuse(std::tuple<>(), l...); }, layers);
}

template <class... Done, class Layer, class... Rest>
auto fuse(std::tuple<Done&...> done, Layer& layer, Rest&... rest) {
    if constexpr (takes_stages<Layer>) {
        return fuse_into(done, fused<Layer>{std::move(layer), {}}, rest...);
    } else if constexpr (maps_layers<Layer>) {
        auto inside = map_layers(layer, [](const auto& inner) { return fuse_inside(inner); });
        return fuse(tie_more(done, inside), rest...);
    } else {
        return fuse(tie_more(done, layer), rest...);
    }
}

}  // namespace detail

/// A model in the form that runs: weights packed for one instruction set, element-wise layers fused. Immutable; any number of
/// threads may run it at once, each with its own workspace.
template <class Isa, class Model>
class prepared {
public:
    using isa = Isa;

    explicit prepared(Model model, Isa chosen = {}) : model_(std::move(model)), instruction_set_(chosen) {}

    using plan_type = decltype(std::declval<const Model&>().plan());

    const Model& model() const noexcept { return model_; }
    Isa instruction_set() const noexcept { return instruction_set_; }
    std::size_t input_size() const noexcept { return model_.plan().input_shape().size(); }
    std::size_t output_size() const noexcept { return model_.plan().output_shape(model_.plan().input_shape()).size(); }

    /// The exact size of the workspace that a batch needs; a constant expression where all shapes are static.
    static constexpr std::size_t workspace_bytes(std::size_t batch) noexcept requires plan_type::is_static {
        return plan_type{}.scratch_bytes(batch, plan_type{}.input_shape());
    }
    std::size_t workspace_bytes(std::size_t batch) const noexcept requires(!plan_type::is_static) {
        return model_.plan().scratch_bytes(batch, model_.plan().input_shape());
    }

private:
    Model model_;
    [[no_unique_address]] Isa instruction_set_;
};

/// Packs the weights of a model for an instruction set and fuses what follows each product into it. Allocates; do it once. Which
/// instruction set that is, is left open by isa::dispatch alone: the best that the CPU has, or the one that is given.
template <class Isa, class... Layers>
auto prepare(const sequential<Layers...>& model, Isa chosen = {}) {
    static_assert(Isa::compiled, "pare: prepare<Isa>() for an instruction set that the compiler's flags do not allow");
    if constexpr (Isa::compiled) {
        auto packed = pare::map_weights(fold_batch_norm(model), detail::pack_weights<Isa>{chosen});
        auto network = detail::lower_network(
            detail::apply([](auto&... layer) { return detail::fuse(std::tuple<>(), layer...); }, packed.layers));
        return prepared<Isa, decltype(network)>(std::move(network), chosen);
    } else {
        return 0;  // so that the sentence above is the only error
    }
}
template <class Isa, class Model>
auto prepare(const Model& model, Isa chosen = {}) {
    if constexpr (is_result<Model>) {
        return and_then(model, [&](const auto& m) { return prepare<Isa>(m, chosen); });
    } else {
        return prepare<Isa>(sequential<Model>(model), chosen);
    }
}

/// A workspace for batches of up to max_batch samples.
template <class Isa, class Model>
workspace workspace_for(const prepared<Isa, Model>& model, std::size_t max_batch) {
    return workspace(model.workspace_bytes(max_batch));
}

/// output [batch, outputs] = the model of input [batch, inputs], both contiguous; the batch is as large as the input. Allocates
/// nothing, locks nothing, throws nothing. The work goes to `executor`; by default all of it to the calling thread.
template <class Isa, class Model, executor Executor>
void run(const prepared<Isa, Model>& model, std::span<const float> input, std::span<float> output, workspace& space,
         Executor& exec) noexcept {
    const auto plan = model.model().plan();
    const auto shape = plan.input_shape();
    const std::size_t batch = input.size() / shape.size();
    PARE_ASSERT(input.size() == batch * shape.size(), "the input has %zu numbers, which is no multiple of the %zu of a sample",
                input.size(), shape.size());
    PARE_ASSERT(output.size() == batch * model.output_size(), "the output has room for %zu numbers; %zu samples give %zu each",
                output.size(), batch, model.output_size());
    PARE_ASSERT(model.workspace_bytes(batch) <= space.size(), "the workspace has %zu bytes; a batch of %zu needs %zu", space.size(),
                batch, model.workspace_bytes(batch));
    context<Isa, Executor> ctx{.executor = exec, .scratch = space.scratch(), .instruction_set = model.instruction_set()};
    model.model().forward(ctx, batch_of(input.data(), batch, shape), batch_of(output.data(), batch, plan.output_shape(shape)));
}
template <class Isa, class Model>
void run(const prepared<Isa, Model>& model, std::span<const float> input, std::span<float> output, workspace& space) noexcept {
    serial_executor serial;
    run(model, input, output, space, serial);
}

/// A line per layer: what it is, which kernel runs on which instruction set, and how many bytes its weights take.
template <class Isa, class Model>
std::string describe(const prepared<Isa, Model>& model) {
    std::string text;
    const auto plan = model.model().plan();
    plan.walk(plan.input_shape(), [&](auto index, const auto&, const auto&, const auto& out) {
        const auto& layer = std::get<index>(model.model().layers);
        std::size_t bytes = 0;
        for_each_member(layer, [&](const member_path&, const auto& member) {
            if constexpr (requires { member.bytes(); }) {
                bytes += member.bytes();
            } else {
                bytes += member.values().size_bytes();
            }
        });
        text += sentence(std::size_t{index}, ": ", describe_layer(layer), ", ", out.size(), " outputs, ", bytes, " bytes\n");
    });
#if !defined(__OPTIMIZE__) && !defined(_MSC_VER)
    text += "compiled without optimization: slow\n";
#endif
    if constexpr (requires(const Isa& chosen) { chosen.running(); }) {
        text += sentence("instruction set chosen at run time: ", model.instruction_set().running(), "\n");
    }
    if constexpr (std::is_same_v<Isa, isa::scalar>) {
        text += "scalar code: no flag of the compiler allows vector instructions, or isa::scalar was asked for\n";
    }
    return text;
}

PARE_NAMESPACE_END

#endif
