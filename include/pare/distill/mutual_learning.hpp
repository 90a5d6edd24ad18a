#ifndef PARE_DISTILL_MUTUAL_LEARNING_HPP
#define PARE_DISTILL_MUTUAL_LEARNING_HPP

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/distill/logit_losses.hpp>
#include <pare/nn/branches.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The loss of students whose logits lie side by side: each learns from the labels and, on average, from each other one as it is,
/// through which no gradient flows.
template <class Targets>
class mutual_loss {
public:
    static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

    /// not_finite becomes the first student whose logits are NaN or infinite.
    mutual_loss(std::size_t students, const Targets& targets, std::size_t& not_finite)
        : students_(students), targets_(targets), not_finite_(&not_finite) {}

    std::optional<error> problem(std::size_t samples, std::size_t outputs) const {
        return targets_problem(targets_, samples, outputs / students_, 0);
    }
    std::optional<error> problem(std::size_t samples, std::size_t outputs, std::size_t step) const
        requires targets_of_steps<Targets>
    {
        return targets_problem(targets_, samples, outputs / students_, step);
    }

    double operator()(matrix_view<const float> y, const minibatch& batch, matrix_view<float> gradient) const {
        const std::size_t classes = y.columns / students_;
        std::vector<float> logits(y.rows * y.columns), part(y.rows * classes);
        for (std::size_t s = 0; s < students_; ++s) {
            float* const own = logits.data() + s * part.size();
            copy_columns(y.rows, classes, y.data + s * classes, y.columns, own, classes);
            if (*not_finite_ == nobody && !std::all_of(own, own + part.size(), [](float x) { return is_finite(x); })) {
                *not_finite_ = s;
            }
        }
        const auto of = [&](std::size_t s) { return matrix_view<const float>(logits.data() + s * part.size(), y.rows, classes); };
        const auto weight = 1.0f / static_cast<float>(students_ - 1);
        double loss = 0.0;
        for (std::size_t s = 0; s < students_; ++s) {
            for (std::size_t other = 0, seen = 0; other < students_; ++other) {
                if (other == s) {
                    continue;
                }
                loss += static_cast<double>(weight) * targets_(of(s), of(other), batch, {part.data(), y.rows, classes});
                for (std::size_t i = 0; i < y.rows; ++i) {
                    for (std::size_t j = 0; j < classes; ++j) {
                        float& g = gradient(i, s * classes + j);
                        g = (seen == 0 ? 0.0f : g) + opaque(weight * part[i * classes + j]);
                    }
                }
                ++seen;
            }
        }
        return loss;
    }

private:
    std::size_t students_;
    Targets targets_;
    std::size_t* not_finite_;
};

}  // namespace detail

/// Trains two or more students at once, of one type or of several, each on the labels and on what the others say of the same batch
/// at that moment; returns them as a tuple.
///
///     mutual_learning(std::tuple(a, b), data, soft_targets{.temperature = 1, .hard_weight = 0.5f}, adam{}, ...)
///
/// Student s minimizes the mean over the others o of targets(s, o). With the targets above that is half of the paper's cross
/// entropy plus mean of KL(o || s). The loss that fit reports is the sum over all students. Zhang, Xiang, Hospedales, Lu 2018,
/// whose students take turns; here all take a step at once. Begin them with seeds of their own: equal ones stay equal.
///
/// Extras and options as fit, for which they are one model, the concat of the students: a checkpoint saves all, a limit of the norm
/// of the gradient is one of all. Deterministic as fit is. Errors name the student: inputs or outputs that do not fit the data,
/// another number of outputs than the first student has, numbers that are not finite; else those of the targets and of fit.
template <class Isa = isa::native, class... Students, labelled_dataset Data, class Targets, class Optimizer, class... Extras>
result<std::tuple<Students...>> mutual_learning(const std::tuple<Students...>& students, const Data& data, const Targets& targets,
                                                const Optimizer& optimizer, const fit_options& options = {}, Extras&&... extras) {
    static_assert(sizeof...(Students) >= 2, "pare: mutual_learning() takes a std::tuple of two or more students");
    const auto of_student = [](std::size_t s, const error& e) {
        return error{e.code, sentence("mutual_learning, student ", s, ": ", e.message)};
    };
    std::optional<error> problem;
    std::size_t classes = 0, number = 0;
    const auto check = [&](const auto& student) {
        const auto plan = student.plan();
        const auto input = plan.input_shape();
        const auto output = plan.output_shape(input);
        static_assert(decltype(output)::rank == 1, "pare: mutual_learning() takes students whose outputs are logits, [classes]");
        classes = number == 0 ? output.size() : classes;
        auto own = detail::shape_problem("fit", data, input, output.size());
        if (!own && output.size() != classes) {
            own = error{error_code::invalid_argument,
                        sentence("expected ", classes, " outputs, as many as student 0 has, found ", output.size())};
        }
        problem = !problem && own ? of_student(number, *own) : problem;
        ++number;
    };
    detail::apply([&](const auto&... student) { (check(student), ...); }, students);
    if (problem) {
        return *std::move(problem);
    }
    auto all = detail::apply([](const auto&... student) { return concat(student...); }, students);
    std::size_t not_finite = detail::mutual_loss<Targets>::nobody;
    const detail::mutual_loss<Targets> loss(sizeof...(Students), targets, not_finite);
    const auto report = fit<Isa>(all, data, loss, optimizer, options, extras...);
    if (report) {
        return std::move(all.layers);
    }
    number = 0;
    detail::apply(
        [&](auto&... student) {
            ((not_finite = not_finite > number && !parameter_not_finite(student).empty() ? number : not_finite, ++number), ...);
        },
        all.layers);
    const bool known = report.error().code == error_code::diverged && not_finite < sizeof...(Students);
    return known ? of_student(not_finite, report.error()) : report.error();
}

PARE_NAMESPACE_END

#endif
