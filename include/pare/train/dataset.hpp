#ifndef PARE_TRAIN_DATASET_HPP
#define PARE_TRAIN_DATASET_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <pare/core/aligned.hpp>
#include <pare/core/extents.hpp>
#include <pare/core/result.hpp>
#include <pare/core/tensor.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What fit() and the like learn from: samples of which any can be asked for in any order, from any thread. They may lie in memory,
/// or be read or made when they are asked for; where options.shuffle is off, that is in the order of their numbers.
///
///     d.size()                                how many samples
///     d.sample_shape()                        extents<...> of a sample
///     d.classes()                             how many classes, where samples have labels
///     d.targets()                             how many numbers belong to a sample, where they have targets
///     d.fetch(indices, inputs, labels)        copies the samples of these indices one after the other, labels being std::int32_t*
///     d.fetch(indices, inputs, targets)       or float*; returns nothing, or std::optional<error> where it may fail
template <class D>
concept labelled_dataset = requires(const D& d, std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) {
    { d.size() } -> std::convertible_to<std::size_t>;
    { d.classes() } -> std::convertible_to<std::size_t>;
    d.sample_shape().size();
    d.fetch(indices, inputs, labels);
};
template <class D>
concept target_dataset = requires(const D& d, std::span<const std::size_t> indices, float* inputs, float* targets) {
    { d.size() } -> std::convertible_to<std::size_t>;
    { d.targets() } -> std::convertible_to<std::size_t>;
    d.sample_shape().size();
    d.fetch(indices, inputs, targets);
};
template <class D>
concept dataset = labelled_dataset<D> || target_dataset<D>;

namespace detail {

/// The first number of samples in memory that is not finite, if any; `what` is what errors call it.
template <class Element>
std::optional<error> not_finite(std::string_view name, const char* what, const aligned_array<Element>& numbers,
                                std::size_t per_sample) {
    if constexpr (std::same_as<Element, float>) {
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (!is_finite(numbers[i])) {
                return error{error_code::invalid_data, sentence(name, ": expected finite ", what, "s, found ", numbers[i],
                                                                " at sample ", i / per_sample, ", ", what, " ", i % per_sample)};
            }
        }
    }
    return std::nullopt;
}

template <class Element>
float* copy_sample(std::span<const Element> sample, float* out) noexcept {
    for (const Element value : sample) {
        if constexpr (std::same_as<Element, std::uint8_t>) {
            *out++ = static_cast<float>(value) * (1.0f / 255.0f);
        } else {
            *out++ = value;
        }
    }
    return out;
}

}  // namespace detail

/// A labelled data set in memory. Element is float, or std::uint8_t for images: such a byte b is the number b / 255.
template <class Element, std::size_t... E>
class labeled_data {
public:
    /// `inputs` holds labels.size() samples one after the other; labels are in [0, classes). `name` is what errors call it.
    /// Errors: no sample at all, another number of inputs, one that is NaN or infinite, labels out of range.
    static result<labeled_data> make(std::string_view name, extents<E...> shape, std::size_t classes, aligned_array<Element> inputs,
                                     std::vector<std::int32_t> labels) {
        if (classes == 0) {
            return error{error_code::invalid_argument, sentence(name, ": expected at least one class, found none")};
        }
        if (labels.empty()) {
            return error{error_code::invalid_data, sentence(name, ": expected at least one sample, found none")};
        }
        if (inputs.size() != labels.size() * shape.size()) {
            return error{error_code::invalid_data, sentence(name, ": expected ", labels.size(), " samples of ", shape.size(),
                                                            " numbers, one per label; found ", inputs.size(), " numbers in all")};
        }
        for (std::size_t i = 0; i < labels.size(); ++i) {
            if (labels[i] < 0 || static_cast<std::size_t>(labels[i]) >= classes) {
                return error{error_code::invalid_data,
                             sentence(name, ": expected labels from 0 to ", classes - 1, ", found ", labels[i], " at sample ", i)};
            }
        }
        if (auto problem = detail::not_finite(name, "input", inputs, shape.size())) {
            return *std::move(problem);
        }
        labeled_data data;
        data.shape_ = shape;
        data.classes_ = classes;
        data.inputs_ = std::move(inputs);
        data.labels_ = std::move(labels);
        return data;
    }

    std::size_t size() const noexcept { return labels_.size(); }
    std::size_t classes() const noexcept { return classes_; }
    const extents<E...>& sample_shape() const noexcept { return shape_; }
    std::span<const Element> sample(std::size_t i) const noexcept { return {inputs_.data() + i * shape_.size(), shape_.size()}; }
    std::int32_t label(std::size_t i) const noexcept { return labels_[i]; }

    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const noexcept {
        for (const std::size_t i : indices) {
            inputs = detail::copy_sample(sample(i), inputs);
            *labels++ = labels_[i];
        }
    }

private:
    labeled_data() = default;

    extents<E...> shape_{};
    std::size_t classes_ = 0;
    aligned_array<Element> inputs_;
    std::vector<std::int32_t> labels_;
};

/// A data set in memory whose samples have a row of numbers each to learn: for regression.
template <class Element, std::size_t... E>
class target_data {
public:
    /// `inputs` holds samples one after the other, `targets` as many rows of targets_per_sample numbers. `name` is what errors call
    /// it. Errors: no sample at all, numbers of inputs and targets that do not fit each other, one that is NaN or infinite.
    static result<target_data> make(std::string_view name, extents<E...> shape, std::size_t targets_per_sample,
                                    aligned_array<Element> inputs, aligned_array<float> targets) {
        const std::size_t samples = targets_per_sample == 0 ? 0 : targets.size() / targets_per_sample;
        if (samples == 0 || samples * targets_per_sample != targets.size() || samples * shape.size() != inputs.size()) {
            return error{error_code::invalid_data, sentence(name, ": expected samples of ", shape.size(), " inputs and ",
                                                            targets_per_sample, " targets, at least one; found ", inputs.size(),
                                                            " inputs and ", targets.size(), " targets in all")};
        }
        if (auto problem = detail::not_finite(name, "input", inputs, shape.size())) {
            return *std::move(problem);
        }
        if (auto problem = detail::not_finite(name, "target", targets, targets_per_sample)) {
            return *std::move(problem);
        }
        target_data data;
        data.shape_ = shape;
        data.targets_per_sample_ = targets_per_sample;
        data.inputs_ = std::move(inputs);
        data.targets_ = std::move(targets);
        return data;
    }

    std::size_t size() const noexcept { return targets_.size() / targets_per_sample_; }
    std::size_t targets() const noexcept { return targets_per_sample_; }
    const extents<E...>& sample_shape() const noexcept { return shape_; }

    void fetch(std::span<const std::size_t> indices, float* inputs, float* targets) const noexcept {
        for (const std::size_t i : indices) {
            inputs = detail::copy_sample(std::span<const Element>(inputs_.data() + i * shape_.size(), shape_.size()), inputs);
            targets = detail::copy_sample(std::span<const float>(targets_.data() + i * targets_per_sample_, targets_per_sample_),
                                          targets);
        }
    }

private:
    target_data() = default;

    extents<E...> shape_{};
    std::size_t targets_per_sample_ = 1;
    aligned_array<Element> inputs_;
    aligned_array<float> targets_;
};

/// What a loss is told about the samples whose outputs it judges.
struct minibatch {
    std::span<const std::size_t> indices;  // in the data set
    std::span<const std::int32_t> labels;
    std::size_t step = 0;  // of the training, over all epochs; 0 outside of one
};

/// The same of samples with targets, [batch, outputs].
struct target_batch {
    std::span<const std::size_t> indices;
    matrix_view<const float> targets;
    std::size_t step = 0;
};

namespace detail {

/// How a data set does not fit a model of this input and so many outputs, if so: in the size of its samples, in having more classes
/// than there are outputs or another number of targets. `who` begins the sentence.
template <dataset Data, class Shape>
std::optional<error> shape_problem(const char* who, const Data& data, const Shape& input, std::size_t outputs) {
    constexpr std::size_t given = static_size(std::remove_cvref_t<decltype(data.sample_shape())>{});
    constexpr std::size_t taken = static_size(Shape{});
    static_assert(given == taken || given == dyn || taken == dyn,
                  "pare: a sample of the data set must have as many numbers as the model has inputs");
    if (data.sample_shape().size() != input.size()) {
        return error{error_code::invalid_argument,
                     sentence(who, ": the model takes ", input.size(), " inputs; a sample of the data has ",
                              data.sample_shape().size(), " numbers")};
    }
    if constexpr (labelled_dataset<Data>) {
        if (data.classes() > outputs) {
            return error{error_code::invalid_argument, sentence(who, ": the model gives ", outputs, " outputs; the data has ",
                                                                std::size_t{data.classes()}, " classes")};
        }
    } else if (data.targets() != outputs) {
        return error{error_code::invalid_argument,
                     sentence(who, ": the model gives ", outputs, " outputs; a sample of the data has ",
                              std::size_t{data.targets()}, " targets")};
    }
    return std::nullopt;
}

/// Memory for a batch of a data set, allocated once.
template <dataset Data>
class batch_buffer {
public:
    using target = std::conditional_t<labelled_dataset<Data>, std::int32_t, float>;
    using batch = std::conditional_t<labelled_dataset<Data>, minibatch, target_batch>;

    batch_buffer(const Data& data, std::size_t most)
        : inputs_(most * data.sample_shape().size()), targets_(most * per_sample(data)) {}

    float* inputs() noexcept { return inputs_.data(); }

    /// Fills the buffer with these samples. Errors: those of the data set, labels that are none of its classes.
    std::optional<error> fetch(const Data& data, std::span<const std::size_t> indices) {
        if constexpr (std::is_void_v<decltype(data.fetch(indices, inputs_.data(), targets_.data()))>) {
            data.fetch(indices, inputs_.data(), targets_.data());
        } else if (std::optional<error> problem = data.fetch(indices, inputs_.data(), targets_.data())) {
            return problem;
        }
        if constexpr (labelled_dataset<Data>) {
            const std::size_t classes = data.classes();
            for (std::size_t i = 0; i < indices.size(); ++i) {
                if (targets_[i] < 0 || static_cast<std::size_t>(targets_[i]) >= classes) {
                    return error{error_code::invalid_data, sentence("data set: expected labels below ", classes, ", found ",
                                                                    targets_[i], " at sample ", indices[i])};
                }
            }
        }
        return std::nullopt;
    }
    /// What a loss is told of them.
    batch fetched(std::span<const std::size_t> indices, std::size_t step = 0) const noexcept {
        if constexpr (labelled_dataset<Data>) {
            return {indices, {targets_.data(), indices.size()}, step};
        } else {
            return {indices, {targets_.data(), indices.size(), per_sample_}, step};
        }
    }

private:
    std::size_t per_sample(const Data& data) noexcept {
        if constexpr (!labelled_dataset<Data>) {
            per_sample_ = data.targets();
        }
        return per_sample_;
    }

    std::size_t per_sample_ = 1;
    aligned_array<float> inputs_;
    aligned_array<target> targets_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
