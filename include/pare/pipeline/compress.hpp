#ifndef PARE_PIPELINE_COMPRESS_HPP
#define PARE_PIPELINE_COMPRESS_HPP

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <pare/compress/cluster.hpp>
#include <pare/core/tuple.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/summary.hpp>
#include <pare/pipeline/stage.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/train/losses.hpp>

PARE_NAMESPACE_BEGIN

/// How a model does on a data set.
struct model_quality {
    std::size_t samples = 0;  // 0 where there are no data
    std::size_t errors = 0;   // samples in the wrong class, where there are labels
    double loss = 0.0;        // mean squared difference, where there are targets
    bool has_targets = false;
};

/// A model behind one stage of a pipeline.
struct stage_report {
    std::string stage;           // "cluster 16"; "model" for what compress() was given
    std::size_t parameters = 0;  // weights, stored or not, and biases
    std::size_t nonzero = 0;     // of them
    std::size_t bytes = 0;       // of what a deployed model stores; behind encode(), of the file
    model_quality quality;
    std::vector<matrix_state> matrices;  // of weights
};

/// What there is of a file before encode().
struct no_archive {};

/// What compress() makes.
template <class Model, class Archive = no_archive>
struct compressed {
    Model model;
    Archive archive;                   // behind encode(), the file: archive.content
    std::vector<stage_report> stages;  // the model as it was, and behind each stage
};

namespace detail {

template <class T>
inline constexpr bool is_encoded = false;
template <class Archive>
inline constexpr bool is_encoded<encoded<Archive>> = true;

/// How a model does on data, if there are any. Shared values are the same as floats, which costs a compiler less.
template <class Isa, class Model, class Test, class Executor>
result<model_quality> quality_of(const Model& model, const Test& test, Executor& exec) {
    if constexpr (std::is_same_v<Test, no_data>) {
        return model_quality{};
    } else if constexpr (labelled_dataset<Test>) {
        return and_then(count_errors<Isa>(without_codebooks(model), test, exec),
                        [&](std::size_t errors) { return model_quality{test.size(), errors, 0.0, false}; });
    } else {
        return and_then(evaluate<Isa>(without_codebooks(model), test, mean_loss(mean_squared_error{}), exec),
                        [&](const auto& loss) { return model_quality{test.size(), 0, loss.value(), true}; });
    }
}

/// A pipeline up to some stage.
template <class Model, class Archive>
struct pipeline_state {
    compressed<Model, Archive> made;
    promise_keeper keeper;
};

/// Runs stages, and holds them to their promises.
template <class Isa, class Data, class Test, class Executor>
class stage_runner {
public:
    stage_runner(const Data& data, const Test& test, Executor& exec) noexcept : data_(&data), test_(&test), exec_(&exec) {}

    template <class Model>
    result<pipeline_state<Model, no_archive>> begin(const Model& model) const {
        auto report = reported("model", model, matrix_states(model));
        if (!report) {
            return report.error();
        }
        promise_keeper keeper(report->matrices);
        return pipeline_state<Model, no_archive>{{model, {}, {*std::move(report)}}, std::move(keeper)};
    }

    template <class State>
    result<State> run(State state) const {
        return state;
    }
    template <class State, class Stage, class... Rest>
    auto run(State state, const Stage& stage, const Rest&... rest) const {
        return and_then(step(std::move(state), stage), [&](auto&& next) { return run(std::move(next), rest...); });
    }
    template <class State, class... Stages>
    auto run_list(State state, const stage_list<Stages...>& list) const {
        return detail::apply([&](const auto&... s) { return run(std::move(state), s...); }, list.stages);
    }

private:
    template <class Model, class Archive, class Stage>
    auto step(pipeline_state<Model, Archive> before, const Stage& stage) const {
        static_assert(
            std::invocable<const Stage&, const Model&, const Data&>,
            "pare: a stage of a pipeline is called as stage(model, data), see compression_stage in pare/pipeline/stage.hpp");
        return and_then(stage(std::as_const(before.made.model), *data_), [&](auto&& after) {
            using given = std::remove_cvref_t<decltype(after)>;
            std::vector<stage_report> reports = std::move(before.made.stages);
            if constexpr (is_encoded<given>) {
                stage_report report = reports.back();  // without loss: nothing but the bytes is new
                report.stage = describe_stage(stage);
                report.bytes = after.archive.content.size();
                reports.push_back(std::move(report));
                using next = pipeline_state<Model, decltype(after.archive)>;
                return result<next>(
                    next{{std::move(before.made.model), std::move(after.archive), std::move(reports)}, std::move(before.keeper)});
            } else {
                using next = pipeline_state<given, Archive>;
                const stage_promises promises = stage.promises();
                auto problem = before.keeper.check(
                    sentence("compress: stage ", reports.size(), " (", describe_stage(stage), ")"), Stage::name, promises,
                    promises == stage_promises{} ? std::vector<std::string>() : taken_by(stage, before.made.model),
                    matrix_states(after));
                if (problem) {
                    return result<next>(*std::move(problem));
                }
                auto report = reported(describe_stage(stage), after, before.keeper.now());
                if (!report) {
                    return result<next>(report.error());
                }
                reports.push_back(*std::move(report));
                return result<next>(
                    next{{std::move(after), std::move(before.made.archive), std::move(reports)}, std::move(before.keeper)});
            }
        });
    }

    template <class Model>
    result<stage_report> reported(std::string stage, const Model& model, std::vector<matrix_state> matrices) const {
        return and_then(quality_of<Isa>(model, *test_, *exec_), [&](const model_quality& quality) {
            const model_summary size = summarize(model);
            return stage_report{std::move(stage), size.parameters, size.nonzero, size.bytes, quality, std::move(matrices)};
        });
    }

    const Data* data_;
    const Test* test_;
    Executor* exec_;
};

}  // namespace detail

/// Takes a model, or a result of one, through the stages of a pipeline:
///
///     auto small = compress(net, images, prune(magnitude{}, unstructured{}, 0.9) | cluster<16>() | encode());
///
/// Data are what stages train on or calibrate with, and what errors (with targets, the mean squared difference) are counted on
/// behind each stage, unless there is a `test` set for that. A model in training is frozen first. What a stage promises
/// (stage_promises) is looked for in its own output and in that of all behind it. Errors: those of the stages; a promise that is
/// not kept, with the stage, the weights, what was expected and what was found; data that do not fit the model. Han, Mao, Dally
/// 2016.
template <class Isa = isa::native, class Model, class Data, stages Stages, class Test, executor Executor = serial_executor>
auto compress(const Model& model, const Data& data, const Stages& pipeline, const Test& test, Executor&& exec = {}) {
    static_assert((dataset<Data> || std::is_same_v<Data, no_data>) && (dataset<Test> || std::is_same_v<Test, no_data>),
                  "pare: compress(model, data, stages, test) takes data sets: see pare/train/dataset.hpp");
    return and_then(freeze(model), [&](const auto& m) {
        const auto list = detail::make_stage_list(detail::stages_in(pipeline));
        const detail::stage_runner<Isa, Data, Test, std::remove_reference_t<Executor>> runner(data, test, exec);
        if constexpr (decltype(list)::in_order) {
            return and_then(and_then(runner.begin(m), [&](auto&& state) { return runner.run_list(std::move(state), list); }),
                            [](auto&& state) { return std::move(state.made); });
        } else {
            return result<compressed<std::remove_cvref_t<decltype(m)>>>(error{});  // stage_list has said why not
        }
    });
}
template <class Isa = isa::native, class Model, class Data, stages Stages>
auto compress(const Model& model, const Data& data, const Stages& pipeline) {
    return compress<Isa>(model, data, pipeline, data);
}
/// Without data: for stages that do not train, and with no errors in the reports.
template <class Isa = isa::native, class Model, stages Stages>
auto compress(const Model& model, const Stages& pipeline) {
    return compress<Isa>(model, no_data{}, pipeline, no_data{});
}

/// A line per stage:
///
///     prune 0.9: 26661 of 266610 parameters not 0, at most 23424 values of 32 bits, 1066440 bytes, 170 errors of 10000
inline std::string describe(const std::vector<stage_report>& stages) {
    std::string text;
    for (const stage_report& s : stages) {
        std::size_t values = 0, bits = 0;
        for (const matrix_state& m : s.matrices) {
            values = (std::max)(values, m.values);
            bits = (std::max)(bits, m.bits);
        }
        text += sentence(s.stage, ": ", s.nonzero, " of ", s.parameters, " parameters not 0, at most ", values, " values of ", bits,
                         " bits, ", s.bytes, " bytes");
        if (s.quality.samples != 0) {
            text += s.quality.has_targets ? sentence(", loss ", s.quality.loss, " on ", s.quality.samples, " samples")
                                          : sentence(", ", s.quality.errors, " errors of ", s.quality.samples);
        }
        text += "\n";
    }
    return text;
}

PARE_NAMESPACE_END

#endif
