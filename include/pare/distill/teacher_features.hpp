#ifndef PARE_DISTILL_TEACHER_FEATURES_HPP
#define PARE_DISTILL_TEACHER_FEATURES_HPP

#include <algorithm>
#include <array>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <pare/core/tuple.hpp>
#include <pare/distill/feature_tap.hpp>
#include <pare/distill/teacher_logits.hpp>

PARE_NAMESPACE_BEGIN

/// Features of a teacher that is no model of this library: a function object void(inputs [batch * size], features [batch, positions
/// * channels]).
template <class F>
struct callable_features {
    F features;
    feature_shape shape;
};
template <class F>
callable_features(F, feature_shape) -> callable_features<F>;

/// How features are kept.
enum class feature_form { float32, float16 };

namespace detail {
struct feature_sink;
}

/// What a layer of a teacher gives for each sample of a data set: computed once, so that an epoch of distillation costs the student
/// only. Of 60,000 samples and a layer of 1200 it takes 288 MB, or half of that.
class teacher_features {
public:
    /// Errors: those of the data set, features that are not finite (as float16, if that is their form).
    template <class F, dataset Data>
    static result<teacher_features> make(const callable_features<F>& teacher, const Data& data,
                                         feature_form form = feature_form::float32);

    std::size_t samples() const noexcept { return samples_; }
    const feature_shape& shape() const noexcept { return shape_; }
    std::size_t bytes() const noexcept { return floats_.size() * sizeof(float) + halves_.size() * sizeof(float16); }

    /// features [positions, channels] of sample i.
    void read(std::size_t i, float* features) const noexcept {
        PARE_ASSERT(i < samples_, "sample %zu of %zu", i, samples_);
        if (form_ == feature_form::float32) {
            std::copy_n(floats_.data() + i * shape_.size(), shape_.size(), features);
        } else {
            std::copy_n(halves_.data() + i * shape_.size(), shape_.size(), features);
        }
    }

private:
    friend struct detail::feature_sink;

    teacher_features(std::size_t samples, const feature_shape& shape, feature_form form)
        : samples_(samples),
          shape_(shape),
          form_(form),
          floats_(form == feature_form::float32 ? samples * shape.size() : 0),
          halves_(form == feature_form::float16 ? samples * shape.size() : 0) {}

    /// Whether they are finite.
    bool write(std::size_t i, const float* features) noexcept {
        bool finite = true;
        for (std::size_t j = 0; j < shape_.size(); ++j) {
            if (form_ == feature_form::float32) {
                floats_[i * shape_.size() + j] = features[j];
                finite = finite && is_finite(features[j]);
            } else {
                const float16 half(features[j]);
                halves_[i * shape_.size() + j] = half;
                finite = finite && is_finite(static_cast<float>(half));
            }
        }
        return finite;
    }

    std::size_t samples_;
    feature_shape shape_;
    feature_form form_;
    aligned_array<float> floats_;
    aligned_array<float16> halves_;
};

namespace detail {

/// Where the features of one layer go, batch by batch, in the order of the samples.
struct feature_sink {
    feature_shape shape;
    std::optional<teacher_features> made;
    std::size_t next = 0;
    std::optional<std::size_t> not_finite;

    void allocate(std::size_t samples, feature_form form) { made.emplace(teacher_features(samples, shape, form)); }
    void append(const feature_batch<float>& batch) noexcept {
        for (std::size_t i = 0; i < batch.batch; ++i, ++next) {
            if (!made->write(next, batch.sample(i)) && !not_finite) {
                not_finite = next;
            }
        }
    }
    std::optional<error> problem(const std::string& where) const {
        if (!not_finite) {
            return std::nullopt;
        }
        return error{error_code::invalid_data, sentence("teacher_features: expected finite features", where,
                                                        ", found NaN or infinity in those of sample ", *not_finite)};
    }
};

template <fixed_string... Places>
struct place_list {};

/// The list with a place, if it is not in there.
template <fixed_string Place, fixed_string... Places>
constexpr auto with_place(place_list<Places...>) noexcept {
    if constexpr (((Places.view() == Place.view()) || ...)) {
        return place_list<Places...>{};
    } else {
        return place_list<Places..., Place>{};
    }
}

template <class T>
inline constexpr bool is_model = !is_prepared<T> && !is_callable_teacher<T> && !std::is_same_v<T, teacher_logits>;

}  // namespace detail

template <class F, dataset Data>
result<teacher_features> teacher_features::make(const callable_features<F>& teacher, const Data& data, feature_form form) {
    detail::feature_sink sink;
    sink.shape = teacher.shape;
    sink.allocate(data.size(), form);
    detail::data_pass<Data> pass(data, teacher.shape.size(), 0);
    auto problem = pass(
        data,
        [&](const float* x, const matrix_view<float>& y, workspace&) {
            teacher.features(std::span<const float>(x, y.rows * data.sample_shape().size()), y);
        },
        [&](std::size_t, const auto&, const matrix_view<const float>& y) { sink.append({y.data, y.rows, teacher.shape}); });
    if (!problem) {
        problem = sink.problem("");
    }
    return problem ? result<teacher_features>(*std::move(problem)) : result<teacher_features>(*std::move(sink.made));
}

/// What a teacher gives for each sample of a data set, at its end and behind some of its layers: for distill() with
/// with_features(), which else makes them each time it is called.
///     teacher_outputs<"1", "3">::make(teacher, data)
///     teacher_outputs<"1">(logits, features)          where they come from elsewhere; then a place is only a name
template <fixed_string... Places>
class teacher_outputs {
public:
    template <std::same_as<teacher_features>... Features>
        requires(sizeof...(Features) == sizeof...(Places))
    explicit teacher_outputs(teacher_logits logits, Features... features)
        : logits_(std::move(logits)), features_{std::move(features)...} {}

    /// Runs a model over the data: a float one, quantized, sparse, or in training. Errors: those of teacher_logits, features that
    /// are not finite (as float16, if that is their form).
    template <class Isa = isa::native, class Teacher, dataset Data, class Executor = serial_executor>
    static result<teacher_outputs> make(const Teacher& teacher, const Data& data, feature_form form = feature_form::float32,
                                        Executor&& exec = {}) {
        constexpr bool has_layers = detail::is_model<Teacher>;
        constexpr bool has_places = (detail::can_be_tapped<Places, detail::layer_path<>, Teacher>() && ...);
        static_assert(
            has_layers,
            "pare: features are those of a model's layers, which a prepared one, a callable_teacher and teacher_logits do "
            "not have: give teacher_outputs<...>(logits, features)");
        static_assert(
            has_places || !has_layers,
            "pare: the place of features is no layer of the teacher; it is where a layer lies in a sequential, as names of "
            "members begin, such as \"1\" or \"3.body.0\"");
        if constexpr (has_layers && has_places) {
            return made_by<Isa>(teacher, data, form, exec);
        } else {
            return error{};
        }
    }

    const teacher_logits& logits() const noexcept { return logits_; }
    template <fixed_string Place>
    const teacher_features& features() const noexcept {
        constexpr std::size_t index = [] {
            constexpr bool is_here[] = {Places.view() == Place.view()..., true};
            return static_cast<std::size_t>(std::find(is_here, is_here + sizeof...(Places), true) - is_here);
        }();
        static_assert(index < sizeof...(Places), "pare: these teacher_outputs<...> have no features of this place");
        return features_[index];
    }

private:
    template <class Isa, class Teacher, class Data, class Executor>
    static result<teacher_outputs> made_by(const Teacher& teacher, const Data& data, feature_form form, Executor& exec) {
        std::array<detail::feature_sink, sizeof...(Places)> sinks;
        const auto tapped = tap<Places...>(teacher, sinks.data());
        (void)tapped.plan().output_shape(tapped.plan().input_shape());
        for (auto& sink : sinks) {
            sink.allocate(data.size(), form);
        }
        auto logits = teacher_logits::make<Isa>(tapped, data, {}, exec);
        std::optional<error> problem = logits ? std::nullopt : std::optional(logits.error());
        const std::string_view places[] = {Places.view()...};
        for (std::size_t i = 0; i < sinks.size() && !problem; ++i) {
            problem = sinks[i].problem(sentence(" at \"", places[i], "\" of the teacher"));
        }
        if (problem) {
            return *std::move(problem);
        }
        return detail::apply([&](auto&... sink) { return teacher_outputs(*std::move(logits), *std::move(sink.made)...); }, sinks);
    }

    template <class Model>
    static const Model& tap(const Model& model, detail::feature_sink*) noexcept {
        return model;
    }
    template <fixed_string Place, fixed_string... Rest, class Model>
    static auto tap(const Model& model, detail::feature_sink* sinks) {
        return tap<Rest...>(detail::with_tap<Place>(model, detail::teacher_tap<detail::feature_sink>{sinks}), sinks + 1);
    }

    teacher_logits logits_;
    std::array<teacher_features, sizeof...(Places)> features_;
};

PARE_NAMESPACE_END

#endif
