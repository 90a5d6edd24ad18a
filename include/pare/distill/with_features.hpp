#ifndef PARE_DISTILL_WITH_FEATURES_HPP
#define PARE_DISTILL_WITH_FEATURES_HPP

#include <array>
#include <optional>
#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/distill/distill.hpp>
#include <pare/distill/teacher_features.hpp>

PARE_NAMESPACE_BEGIN

/// What with_features() returns.
template <class Targets, class... Losses>
struct featured_targets {
    Targets targets;
    std::tuple<Losses...> losses;
};

/// What distill() learns from a teacher: targets for its logits, and losses on what its layers give (distill/feature_losses.hpp),
/// which are added to that of the targets, each times its weight.
///
///     distill(student, teacher, data, with_features(soft_targets{.temperature = 4}, hint<"1", "3">{.weight = 0.5f},
///                                                   relational_distance<"3", "5">{}), adam{}, {.epochs = 10});
///
/// The targets no_targets train what lies before the places alone: the first stage of FitNets.
template <class Targets, class... Losses>
featured_targets<Targets, Losses...> with_features(const Targets& targets, const Losses&... losses) {
    return {targets, {losses...}};
}

/// Targets of which nothing is learned.
struct no_targets {
    static std::optional<error> problem() noexcept { return std::nullopt; }

    double operator()(matrix_view<const float>, matrix_view<const float>, const minibatch&,
                      matrix_view<float> gradient) const noexcept {
        for (std::size_t i = 0; i < gradient.rows; ++i) {
            std::fill_n(gradient.row(i), gradient.columns, 0.0f);
        }
        return 0.0;
    }
};

namespace detail {

template <class Loss>
std::string name_with_places() {
    return sentence(Loss::name, "<\"", Loss::student_place.view(), "\", \"", Loss::teacher_place.view(), "\">");
}
template <class Loss>
bool projects(const Loss& loss) noexcept {
    if constexpr (requires { loss.projects(); }) {
        return loss.projects();
    } else {
        return false;
    }
}

template <class Loss>
std::optional<error> features_problem(const Loss& loss, const feature_shape& student, const feature_shape& teacher) {
    if (const char* expected = loss.mismatch(student, teacher)) {
        return error{
            error_code::invalid_argument,
            sentence(name_with_places<Loss>(), ": expected ", expected, " of the student at \"", Loss::student_place.view(),
                     "\" and the teacher at \"", Loss::teacher_place.view(), "\", found ", student.positions, " positions of ",
                     student.channels, " channels and ", teacher.positions, " of ", teacher.channels)};
    }
    return std::nullopt;
}

/// For fit: the loss of the targets and those of the features that taps have seen.
template <class Targets, class Outputs, class Executor, class... Losses>
struct featured_loss {
    const distillation_loss<Targets>& of_logits;
    const Outputs& teacher;
    const std::tuple<Losses...>& losses;
    tapped_features* tapped;  // one for each of them
    Executor& executor;

    std::optional<error> problem(std::size_t samples, std::size_t outputs) const { return of_logits.problem(samples, outputs); }
    std::optional<error> problem(std::size_t samples, std::size_t outputs, std::size_t step) const
        requires targets_of_steps<Targets>
    {
        return of_logits.problem(samples, outputs, step);
    }

    double operator()(matrix_view<const float> y, const minibatch& batch, matrix_view<float> gradient) const {
        double sum = of_logits(y, batch, gradient);
        std::size_t number = 0;
        detail::apply([&](const auto&... loss) { ((sum += of_features(loss, tapped[number++], batch.indices)), ...); }, losses);
        return sum;
    }

private:
    template <class Loss>
    double of_features(const Loss& loss, tapped_features& t, std::span<const std::size_t> indices) const {
        const teacher_features& features = teacher.template features<Loss::teacher_place>();
        for (std::size_t i = 0; i < indices.size(); ++i) {
            features.read(indices[i], t.of_teacher.data() + i * t.teacher_shape.size());
        }
        const feature_batch<float> mine = t.student_batch();
        const double value = loss(mine, {t.of_teacher.data(), mine.batch, t.teacher_shape}, t.gradient.data(), executor);
        for (std::size_t i = 0; i < mine.batch * mine.shape.size(); ++i) {
            t.gradient[i] *= loss.weight;
        }
        return static_cast<double>(loss.weight) * value;
    }
};

template <std::size_t I = 0, class Model, class... Losses>
auto with_taps(const Model& model, const std::tuple<Losses...>& losses, tapped_features* tapped) {
    if constexpr (I == sizeof...(Losses)) {
        return model;
    } else {
        using loss = std::tuple_element_t<I, std::tuple<Losses...>>;
        return with_taps<I + 1>(with_tap<loss::student_place>(model, feature_tap{tapped + I}), losses, tapped);
    }
}

template <class... Losses>
constexpr auto teacher_places() noexcept {
    auto add = []<class Loss, class... Rest>(auto self, auto places, const Loss*, const Rest*... rest) {
        const auto more = with_place<Loss::teacher_place>(places);
        if constexpr (sizeof...(Rest) == 0) {
            return more;
        } else {
            return self(self, more, rest...);
        }
    };
    return add(add, place_list<>{}, static_cast<const Losses*>(nullptr)...);
}
template <class Places>
struct outputs_of_places;
template <fixed_string... Places>
struct outputs_of_places<place_list<Places...>> {
    using type = teacher_outputs<Places...>;
};

template <class T>
inline constexpr bool is_teacher_outputs = false;
template <fixed_string... Places>
inline constexpr bool is_teacher_outputs<teacher_outputs<Places...>> = true;

/// distill() once the teacher has been run.
template <class Isa, class Student, class Outputs, class Data, class Targets, class... Losses, class Optimizer, class... Extras>
result<Student> distill_features(const Student& student, const Outputs& teacher, const Data& data,
                                 const featured_targets<Targets, Losses...>& what, const Optimizer& optimizer,
                                 const fit_options& options, Extras&... extras) {
    const auto of_logits = distillation_loss<Targets>::make(teacher.logits(), what.targets);
    if (!of_logits) {
        return of_logits.error();
    }
    std::array<tapped_features, sizeof...(Losses)> tapped;
    auto trained = with_taps(student, what.losses, tapped.data());
    (void)trained.plan().output_shape(trained.plan().input_shape());  // the taps note their shapes
    std::optional<error> problem;
    auto connect = [&, number = std::size_t{0}]<class Loss>(const Loss& loss) mutable {
        tapped_features& t = tapped[number];
        const teacher_features& features = teacher.template features<Loss::teacher_place>();
        t.teacher_shape = features.shape();
        problem = problem ? problem : features_problem(loss, t.shape, t.teacher_shape);
        if (!problem && features.samples() != data.size()) {
            problem = error{error_code::invalid_argument,
                            sentence(name_with_places<Loss>(), ": expected features of ", std::size_t{data.size()},
                                     " samples, as the data has, found ", features.samples())};
        }
        t.number = number++;
        if (!problem) {
            t.allocate((std::min)(options.batch_size, std::size_t{data.size()}), projects(loss),
                       random_numbers(options.shuffle_seed, (std::uint64_t{1} << 37) + t.number));
        }
    };
    detail::apply([&](const auto&... loss) { (connect(loss), ...); }, what.losses);
    if (problem) {
        return *std::move(problem);
    }
    serial_executor serial;
    auto& exec = first_executor(extras..., serial);
    const featured_loss<Targets, Outputs, std::remove_reference_t<decltype(exec)>, Losses...> loss{*of_logits, teacher, what.losses,
                                                                                                   tapped.data(), exec};
    if (const auto report = fit<Isa>(trained, data, loss, optimizer, options, extras...); !report) {
        return report.error();
    }
    return without_taps(trained);
}

/// Runs the teacher, where that was not done before.
template <class Isa, class Student, class Teacher, class Data, class Targets, class... Losses, class Optimizer, class... Extras>
result<Student> distill_from(const Student& student, const Teacher& teacher, const Data& data,
                             const featured_targets<Targets, Losses...>& what, const Optimizer& optimizer,
                             const fit_options& options, Extras&... extras) {
    std::optional<error> problem;
    detail::apply([&](const auto&... loss) { ((problem = problem ? problem : loss.problem()), ...); }, what.losses);
    if (problem) {
        return *std::move(problem);
    }
    const auto learn = [&](const auto& outputs) {
        return distill_features<Isa>(student, outputs, data, what, optimizer, options, extras...);
    };
    return and_then(teacher, [&](const auto& t) {
        if constexpr (is_teacher_outputs<std::remove_cvref_t<decltype(t)>>) {
            return learn(t);
        } else {
            serial_executor serial;
            using outputs = typename outputs_of_places<decltype(teacher_places<Losses...>())>::type;
            return and_then(outputs::template make<Isa>(t, data, feature_form::float32, first_executor(extras..., serial)), learn);
        }
    });
}

}  // namespace detail

/// distill() that also learns from what layers of the teacher give. The teacher is a model, of float weights, quantized or in
/// training, or teacher_outputs of the data. The student that is returned has the type of the one that is given; what was trained
/// beside it, the regressors of hints, is gone. Callbacks see it with taps in it. In training for integers, no place may lie
/// between weights and their batch norm. Teachers see samples as the data has them: what augment() makes of them, the student
/// alone. Errors: those of distill(), weights that are not above 0, features that cannot be compared.
template <class Isa = isa::native, class Student, class Teacher, dataset Data, class Targets, class... Losses, class Optimizer,
          class... Extras>
auto distill(const Student& student, const Teacher& teacher, const Data& data, const featured_targets<Targets, Losses...>& what,
             const Optimizer& optimizer, const fit_options& options = {}, Extras&&... extras) {
    static_assert(sizeof...(Losses) != 0, "pare: with_features(targets, losses...) takes at least one loss of features");
    return and_then(student, [&](const auto& s) {
        using model = std::remove_cvref_t<decltype(s)>;
        constexpr bool has_places = (detail::can_be_tapped<Losses::student_place, detail::layer_path<>, model>() && ...);
        static_assert(
            has_places,
            "pare: the place of features is no layer of the student; it is where a layer lies in a sequential, as names of "
            "members begin, such as \"1\" or \"3.body.0\"");
        if constexpr (has_places) {
            return detail::distill_from<Isa>(s, teacher, data, what, optimizer, options, extras...);
        } else {
            return result<model>(error{});
        }
    });
}

PARE_NAMESPACE_END

#endif
