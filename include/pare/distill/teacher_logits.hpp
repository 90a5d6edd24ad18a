#ifndef PARE_DISTILL_TEACHER_LOGITS_HPP
#define PARE_DISTILL_TEACHER_LOGITS_HPP

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <pare/distill/callable_teacher.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/types/float16.hpp>

PARE_NAMESPACE_BEGIN

/// How logits are kept.
///
/// `top_k`: the k largest of a sample as bytes, x' = largest - step * byte with step = (largest - the k-th) / 255, and one logit
/// for all others, log of the mean of their exp. So |x' - x| <= e = (largest - the k-th) / 510, but for the rounding of floats; the
/// others have at temperature 1 the sum of exp that they had, and no probability that is kept changes by more than a factor of
/// exp(2 e). 4 k + 12 bytes a sample in memory, which pays where classes are many.
enum class logit_form { float32, float16, top_k };

struct logit_cache {
    logit_form form = logit_form::float32;
    std::size_t k = 32;  // for top_k; at most the number of classes are kept
};

/// The logits of a teacher for each sample of a data set: computed once, so that an epoch of distillation costs the student only.
class teacher_logits {
public:
    /// Runs the teacher over the data, as fast as its own storage allows: it may be quantized, sparse, in training or prepared.
    /// Errors: samples that do not fit it, those of the data set, logits that
    /// are not finite (float16: of 65,520 or more, which it cannot hold), a k of 0.
    template <class Isa = isa::native, class Teacher, dataset Data, class Executor = serial_executor>
    static result<teacher_logits> make(const Teacher& teacher, const Data& data, const logit_cache& cache = {},
                                       Executor&& exec = {}) {
        if constexpr (detail::is_callable_teacher<Teacher>) {
            detail::data_pass<Data> pass(data, teacher.classes, 0);
            const std::size_t size = data.sample_shape().size();
            return collected(data.size(), teacher.classes, cache, [&](const auto& use) {
                return pass(
                    data,
                    [&](const float* x, const matrix_view<float>& y, workspace&) {
                        teacher.logits(std::span<const float>(x, y.rows * size), y);
                    },
                    use);
            });
        } else if constexpr (detail::is_prepared<Teacher>) {
            return collected(data.size(), teacher.output_size(), cache,
                             [&](const auto& use) { return run_over(teacher, data, exec, use); });
        } else {
            return and_then(prepare<Isa>(freeze(teacher)), [&](const auto& ready) { return make(ready, data, cache, exec); });
        }
    }

    /// The mean of the logits of several teachers, in proportion to their weights: the geometric mean of what they predict. Hinton,
    /// Vinyals, Dean 2015, section 4. Errors: none, or of different sizes; weights that are not above 0 in sum.
    static result<teacher_logits> average(const std::vector<const teacher_logits*>& teachers, std::vector<float> weights = {}) {
        if (weights.empty()) {
            weights.assign(teachers.size(), 1.0f);
        }
        double sum = 0.0;
        for (const float w : weights) {
            sum += static_cast<double>(w);
        }
        if (teachers.empty() || weights.size() != teachers.size() || !(sum > 0.0) || !is_finite(static_cast<float>(sum))) {
            return error{error_code::invalid_argument,
                         sentence("teacher_logits::average: expected teachers with a weight each, above 0 in sum, found ",
                                  teachers.size(), " teachers and ", weights.size(), " weights of ", sum, " in sum")};
        }
        const std::size_t samples = teachers[0]->samples_, classes = teachers[0]->classes_;
        for (const teacher_logits* t : teachers) {
            if (t->samples_ != samples || t->classes_ != classes) {
                return error{error_code::invalid_argument,
                             sentence("teacher_logits::average: expected ", samples, " samples of ", classes,
                                      " classes, as the first teacher has, found ", t->samples_, " of ", t->classes_)};
            }
        }
        teacher_logits mean(samples, classes, {});
        std::vector<float> row(classes);
        for (std::size_t i = 0; i < samples; ++i) {
            std::vector<double> total(classes, 0.0);
            for (std::size_t t = 0; t < teachers.size(); ++t) {
                teachers[t]->read(i, row.data());
                for (std::size_t j = 0; j < classes; ++j) {
                    total[j] += static_cast<double>(weights[t]) * static_cast<double>(row[j]);
                }
            }
            for (std::size_t j = 0; j < classes; ++j) {
                row[j] = static_cast<float>(total[j] / sum);
            }
            mean.write(i, row.data());
        }
        return mean;
    }

    /// Logits that are all 0, for serialize() to fill.
    static teacher_logits zeros(std::size_t samples, std::size_t classes, const logit_cache& cache = {}) {
        return teacher_logits(samples, classes, cache);
    }

    std::size_t samples() const noexcept { return samples_; }
    std::size_t classes() const noexcept { return classes_; }
    const logit_cache& cache() const noexcept { return cache_; }
    std::size_t bytes() const noexcept {
        return floats_.size() * sizeof(float) + halves_.size() * sizeof(float16) + tops_.size() * sizeof(top) +
               scales_.size() * sizeof(scale);
    }

    /// logits [classes] of sample i.
    void read(std::size_t i, float* logits) const noexcept {
        PARE_ASSERT(i < samples_, "sample %zu of %zu", i, samples_);
        switch (cache_.form) {
            case logit_form::float32: std::copy_n(floats_.data() + i * classes_, classes_, logits); break;
            case logit_form::float16: std::copy_n(halves_.data() + i * classes_, classes_, logits); break;
            case logit_form::top_k:
                std::fill_n(logits, classes_, scales_[i].others);
                for (std::size_t j = 0; j < cache_.k; ++j) {
                    const top& t = tops_[i * cache_.k + j];
                    logits[t.label] = scales_[i].logit(t.below);
                }
        }
    }

    /// logits [samples, classes] of these samples.
    void read(std::span<const std::size_t> samples, float* logits) const noexcept {
        for (const std::size_t i : samples) {
            read(i, logits);
            logits += classes_;
        }
    }

    /// For files (io/archive.hpp): `name` [samples, classes], F32 or F16; or, of top_k, name.label, U16 (of more than 2^16 classes
    /// U32), and name.byte, U8, both [samples, k], and name.scale, F32 [samples, 3]: the largest, the step and the logit of all
    /// others.
    template <class Archive>
    void serialize(Archive& archive, const std::string& name) {
        if (cache_.form == logit_form::top_k) {
            if (classes_ <= std::size_t{1} << 16) {
                serialize_tops<std::uint16_t>(archive, name);
            } else {
                serialize_tops<std::uint32_t>(archive, name);
            }
        } else if (cache_.form == logit_form::float16) {
            serialize_all(archive, name, std::span<float16>(halves_.data(), halves_.size()));
        } else {
            serialize_all(archive, name, std::span<float>(floats_.data(), floats_.size()));
        }
    }

private:
    struct top {
        std::uint32_t label : 24;
        std::uint32_t below : 8;
    };
    struct scale {
        float largest, step, others;

        float logit(std::uint32_t below) const noexcept {
            return static_cast<float>(static_cast<double>(largest) - static_cast<double>(step) * static_cast<double>(below));
        }
    };

    template <class Archive, class T>
    void serialize_all(Archive& archive, const std::string& name, std::span<T> logits) {
        archive.array(name, logits, {samples_, classes_});
        if constexpr (Archive::loading) {
            const auto x = std::find_if_not(logits.begin(), logits.end(), [](float v) { return is_finite(v); });
            if (x != logits.end()) {
                const auto at = static_cast<std::size_t>(x - logits.begin());
                archive.fail(name, "finite logits", sentence(float{*x}, " in those of sample ", at / classes_));
            }
        }
    }
    template <class Label, class Archive>
    void serialize_tops(Archive& archive, const std::string& name) {
        const std::size_t k = cache_.k;
        std::vector<Label> labels(samples_ * k);
        std::vector<std::uint8_t> below(samples_ * k);
        std::vector<float> scales;
        for (std::size_t i = 0; i < tops_.size(); ++i) {
            labels[i] = static_cast<Label>(tops_[i].label);
            below[i] = static_cast<std::uint8_t>(tops_[i].below);
        }
        for (const scale& s : scales_) {
            scales.insert(scales.end(), {s.largest, s.step, s.others});
        }
        archive.array(name + ".label", std::span(labels), {samples_, k});
        archive.array(name + ".byte", std::span(below), {samples_, k});
        archive.array(name + ".scale", std::span(scales), {samples_, 3});
        if constexpr (Archive::loading) {
            std::vector<Label> sorted;
            for (std::size_t i = 0; i < samples_ && !archive.failed(); ++i) {
                const auto first = labels.begin() + static_cast<std::ptrdiff_t>(i * k);
                sorted.assign(first, first + static_cast<std::ptrdiff_t>(k));
                std::sort(sorted.begin(), sorted.end());
                if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end() || sorted.back() >= classes_) {
                    archive.fail(name + ".label", sentence("labels below ", classes_, ", each once in a sample"),
                                 sentence("others in sample ", i));
                }
                const scale s = scales_[i] = {scales[3 * i], scales[3 * i + 1], scales[3 * i + 2]};
                if (!is_finite(s.largest) || !is_finite(s.others) || !is_finite(s.logit(255)) || s.step < 0.0f) {
                    archive.fail(name + ".scale", "finite logits and a step of at least 0",
                                 sentence(s.largest, ", ", s.step, " and ", s.others, " in sample ", i));
                }
            }
            for (std::size_t i = 0; i < tops_.size(); ++i) {
                tops_[i] = {std::uint32_t{labels[i]} & 0xffffffu, std::uint32_t{below[i]} & 0xffu};
            }
        }
    }

    teacher_logits(std::size_t samples, std::size_t classes, const logit_cache& cache)
        : samples_(samples),
          classes_(classes),
          cache_{cache.form, (std::min)(cache.k, classes)},
          floats_(cache.form == logit_form::float32 ? samples * classes : 0),
          halves_(cache.form == logit_form::float16 ? samples * classes : 0),
          tops_(cache.form == logit_form::top_k ? samples * cache_.k : 0),
          scales_(cache.form == logit_form::top_k ? samples : 0) {}

    template <class Pass>
    static result<teacher_logits> collected(std::size_t samples, std::size_t classes, const logit_cache& cache, const Pass& pass) {
        if (cache.form == logit_form::top_k && (cache.k == 0 || classes >= std::size_t{1} << 24)) {
            return error{
                error_code::invalid_argument,
                sentence("logit_cache: expected a k of at least 1 and fewer than 2^24 classes, found ", cache.k, " and ", classes)};
        }
        teacher_logits logits(samples, classes, cache);
        const bool half = cache.form == logit_form::float16;
        const auto fits = [&](float x) { return is_finite(half ? float{float16(x)} : x); };
        std::optional<error> broken;
        auto problem = pass([&](std::size_t first, const auto&, matrix_view<const float> y) {
            for (std::size_t i = 0; i < y.rows && !broken; ++i) {
                const float* const end = y.row(i) + classes;
                if (const float* const x = std::find_if_not(y.row(i), end, fits); x != end) {
                    broken = error{error_code::invalid_data, sentence("teacher_logits: expected finite logits",
                                                                      half ? " below 65520, where float16 ends" : "", ", found ",
                                                                      *x, " in those of sample ", first + i)};
                } else {
                    logits.write(first + i, y.row(i));
                }
            }
        });
        if (!problem) {
            problem = std::move(broken);
        }
        return problem ? result<teacher_logits>(*std::move(problem)) : result<teacher_logits>(std::move(logits));
    }

    void write(std::size_t i, const float* logits) {
        switch (cache_.form) {
            case logit_form::float32: std::copy_n(logits, classes_, floats_.data() + i * classes_); break;
            case logit_form::float16:
                std::transform(logits, logits + classes_, halves_.data() + i * classes_, [](float x) { return float16(x); });
                break;
            case logit_form::top_k: write_top(i, logits);
        }
    }

    void write_top(std::size_t i, const float* logits) {
        std::vector<std::uint32_t> order(classes_);
        for (std::size_t j = 0; j < classes_; ++j) {
            order[j] = static_cast<std::uint32_t>(j);
        }
        const auto before = [&](std::uint32_t a, std::uint32_t b) {
            return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
        };
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(cache_.k), order.end(), before);
        const float largest = logits[order[0]];
        const auto range = static_cast<double>(largest) - static_cast<double>(logits[order[cache_.k - 1]]);
        auto step = static_cast<float>(range / 255.0);
        if (!is_finite(scale{largest, step, 0.0f}.logit(255))) {
            step = std::nextafter(step, 0.0f);  // rounded up, it would reach below all floats
        }
        float others = 0.0f;
        if (cache_.k < classes_) {
            const auto rest = std::span(order).subspan(cache_.k);
            const auto most = static_cast<double>(logits[*std::min_element(rest.begin(), rest.end(), before)]);
            double sum = 0.0;
            for (const std::uint32_t j : rest) {
                sum += std::exp(static_cast<double>(logits[j]) - most);
            }
            others = static_cast<float>(most + std::log(sum / static_cast<double>(rest.size())));
        }
        scales_[i] = {largest, step, others};
        for (std::size_t j = 0; j < cache_.k; ++j) {
            const double distance = static_cast<double>(largest) - static_cast<double>(logits[order[j]]);
            const double below = step > 0.0f ? std::fmin(std::nearbyint(distance / static_cast<double>(step)), 255.0) : 0.0;
            tops_[i * cache_.k + j] = {order[j] & 0xffffffu, static_cast<std::uint32_t>(below) & 0xffu};
        }
    }

    std::size_t samples_;
    std::size_t classes_;
    logit_cache cache_;
    aligned_array<float> floats_;
    aligned_array<float16> halves_;
    aligned_array<top> tops_;
    aligned_array<scale> scales_;
};

PARE_NAMESPACE_END

#endif
