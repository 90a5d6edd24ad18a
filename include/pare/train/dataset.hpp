#ifndef PARE_TRAIN_DATASET_HPP
#define PARE_TRAIN_DATASET_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <pare/core/aligned.hpp>
#include <pare/core/extents.hpp>
#include <pare/core/result.hpp>
#include <pare/core/tensor.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// Samples with class labels, of which any can be asked for in any order, from any thread:
///
///     d.size(), d.classes()                   how many samples, how many classes
///     d.sample_shape()                        extents<...> of a sample
///     d.fetch(indices, inputs, labels)        copies the samples of these indices one after the other
template <class D>
concept dataset = requires(const D& d, std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) {
    { d.size() } -> std::convertible_to<std::size_t>;
    { d.classes() } -> std::convertible_to<std::size_t>;
    d.sample_shape().size();
    d.fetch(indices, inputs, labels);
};

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
        if constexpr (std::same_as<Element, float>) {
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                if (!is_finite(inputs[i])) {
                    return error{error_code::invalid_data, sentence(name, ": expected finite inputs, found ", inputs[i],
                                                                    " at sample ", i / shape.size(), ", input ", i % shape.size())};
                }
            }
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
            for (const Element value : sample(i)) {
                if constexpr (std::same_as<Element, std::uint8_t>) {
                    *inputs++ = static_cast<float>(value) * (1.0f / 255.0f);
                } else {
                    *inputs++ = value;
                }
            }
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

namespace detail {

/// How the samples of a data set fail to be inputs of a model, if they do. `who` begins the sentence.
template <dataset Data, class Shape>
std::optional<error> shape_problem(const char* who, const Data& data, const Shape& input) {
    constexpr std::size_t given = static_size(std::remove_cvref_t<decltype(data.sample_shape())>{});
    constexpr std::size_t taken = static_size(Shape{});
    static_assert(given == taken || given == dyn || taken == dyn,
                  "pare: a sample of the data set must have as many numbers as the model has inputs");
    if (data.sample_shape().size() == input.size()) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument,
                 sentence(who, ": the model takes ", input.size(), " inputs; a sample of the data has ", data.sample_shape().size(),
                          " numbers")};
}

}  // namespace detail

/// What a loss is told about the samples whose outputs it judges.
struct minibatch {
    std::span<const std::size_t> indices;  // in the data set
    std::span<const std::int32_t> labels;
};

/// The same of samples with targets, [batch, outputs].
struct target_batch {
    std::span<const std::size_t> indices;
    matrix_view<const float> targets;
};

PARE_NAMESPACE_END

#endif
