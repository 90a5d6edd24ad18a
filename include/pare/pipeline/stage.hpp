#ifndef PARE_PIPELINE_STAGE_HPP
#define PARE_PIPELINE_STAGE_HPP

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/pipeline/promises.hpp>

PARE_NAMESPACE_BEGIN

/// Where stages of a kind stand in a pipeline.
enum class stage_order { prune, cluster, quantize, layout, encode };

/// A step of compress(): a function of a model, and what it says of the weights that it gives. A stage of one's own has
///
///     static constexpr const char* name = "round"              what errors and reports call it
///     auto operator()(const auto& model, const auto& data) const    another model, encoded<> of this one, or a result of those;
///                                                              `data` is what compress() was given, no_data{} where nothing
///     stage_promises promises() const                          what compress() checks, of this stage and of those behind it
///
/// and, where they apply,
///
///     static constexpr stage_order order = stage_order::cluster    it stands where stages of this order do; else anywhere
///     selection                                                a member, only<...>{} or the like: of which layers it promises
///     std::string describe() const                             "prune 0.9": the name, and how strong it is
template <class Stage>
concept compression_stage = requires(const Stage& s) {
    { Stage::name } -> std::convertible_to<const char*>;
    { s.promises() } -> std::same_as<stage_promises>;
};

/// What stages get in the place of data where compress() was given none.
struct no_data {};

/// What a stage gives that makes a file of the model: the file, whose bytes are archive.content. The model stays as it was.
template <class Archive>
struct encoded {
    Archive archive;
};

namespace detail {

template <class Stage>
concept ordered_stage = requires {
    { Stage::order } -> std::convertible_to<stage_order>;
};

struct stage_sequence {
    bool ascending = true;     // of those with an order, each comes behind the one before it; pruning may be repeated
    bool ends_encoded = true;  // nothing stands behind encode()
};
template <class... Stages>
constexpr stage_sequence sequence_of() noexcept {
    stage_sequence found;
    int last = -1;
    const auto next = [&]<class Stage>(std::type_identity<Stage>) {
        found.ends_encoded = found.ends_encoded && last != static_cast<int>(stage_order::encode);
        if constexpr (ordered_stage<Stage>) {
            const auto order = static_cast<int>(Stage::order);
            found.ascending = found.ascending && (order > last || (order == last && order == static_cast<int>(stage_order::prune)));
            last = order > last ? order : last;
        }
    };
    (next(std::type_identity<Stages>{}), ...);
    return found;
}

template <class Stage>
std::string describe_stage(const Stage& stage) {
    if constexpr (requires { stage.describe(); }) {
        return stage.describe();
    } else {
        return Stage::name;
    }
}

/// The weights of which a stage promises something.
template <class Stage, class Model>
std::vector<std::string> taken_by(const Stage& stage, const Model& model) {
    std::vector<std::string> paths;
    if constexpr (requires { stage.selection; }) {
        map_selected_weights(model, list_weights{&paths}, stage.selection);
    } else {
        map_weights(model, list_weights{&paths});
    }
    return paths;
}

}  // namespace detail

/// Stages, one after the other: what a | b | c makes.
template <compression_stage... Stages>
struct stage_list {
    static constexpr bool in_order = detail::sequence_of<Stages...>().ascending && detail::sequence_of<Stages...>().ends_encoded;
    static_assert(detail::sequence_of<Stages...>().ends_encoded, "pare: encode() is the last stage: nothing comes behind the file");
    static_assert(!detail::sequence_of<Stages...>().ends_encoded || detail::sequence_of<Stages...>().ascending,
                  "pare: stages stand in this order: prune | cluster | quantize | sparsify | encode, and of each but prune one");

    std::tuple<Stages...> stages;

    std::string describe() const {
        std::string text;
        detail::apply([&](const auto&... s) { ((text += (text.empty() ? "" : " | ") + detail::describe_stage(s)), ...); }, stages);
        return text;
    }
};

namespace detail {

template <class... Stages>
std::tuple<Stages...> stages_in(stage_list<Stages...> list) {
    return std::move(list.stages);
}
template <compression_stage Stage>
std::tuple<Stage> stages_in(Stage stage) {
    return {std::move(stage)};
}
template <class... Stages>
stage_list<Stages...> make_stage_list(std::tuple<Stages...> stages) {
    return {std::move(stages)};
}

}  // namespace detail

/// A stage, or several.
template <class T>
concept stages = requires(const T& s) { detail::stages_in(s); };

/// First the stages of a, then those of b.
template <stages A, stages B>
auto operator|(A a, B b) {
    return detail::make_stage_list(std::tuple_cat(detail::stages_in(std::move(a)), detail::stages_in(std::move(b))));
}

PARE_NAMESPACE_END

#endif
