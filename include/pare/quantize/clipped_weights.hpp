#ifndef PARE_QUANTIZE_CLIPPED_WEIGHTS_HPP
#define PARE_QUANTIZE_CLIPPED_WEIGHTS_HPP

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <pare/nn/layer.hpp>
#include <pare/types/row_quint.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// From which to which number the codes of a weight reach, and how far two are apart; no step where any number is one.
struct reach_of_codes {
    float min = 0.0f;
    float max = 0.0f;
    float step = 0.0f;

    bool clips(float x) const noexcept { return step > 0.0f && (x < min - 0.501f * step || x > max + 0.501f * step); }
};

template <class Element, class Layout>
reach_of_codes reach_of(const weight_matrix<Element, Layout>& w, std::size_t row, std::size_t column) {
    using storage = element_storage<Element>;
    if constexpr (in_groups<Element>) {
        using format = typename storage::format;
        const std::size_t g = column / format::size;
        std::int32_t least = 0, codes = 1 << format::bits;
        if constexpr (requires { storage::shift; }) {
            least = storage::shift;
            codes = 1 << Element::bits;
        }
        const auto real = [&](std::int32_t code) {
            return format::real(code, storage::scale_at(w, row, g), storage::offset_at(w, row, g));
        };
        const float a = real(least), b = real(least + codes - 1);
        return {(std::min)(a, b), (std::max)(a, b), (a < b ? b - a : a - b) / static_cast<float>(codes - 1)};
    } else if constexpr (of_rows<Element>) {
        const float scale = w.scales[row], minimum = w.zero_points[row];
        return {minimum, minimum + scale * static_cast<float>(Element::largest), scale};
    } else if constexpr (std::is_same_v<Element, qint8>) {
        return {-127.0f * w.scales[row], 127.0f * w.scales[row], w.scales[row]};
    } else {
        return {};
    }
}

}  // namespace detail

/// The share of the numbers of `floats` that lie more than half a step beyond what the codes of `quantized` reach, by which a
/// choice of scales (clipping, GPTQ, a scale that was trained) has pulled them in. Both store the same numbers. O(weights).
template <class Element, class Layout>
double clipped_share(const weight_matrix<float, Layout>& floats, const weight_matrix<Element, Layout>& quantized) {
    std::size_t clipped = 0;
    floats.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        clipped += detail::reach_of(quantized, row, column).clips(floats.values[i]) ? 1u : 0u;
    });
    return floats.values.empty() ? 0.0 : static_cast<double>(clipped) / static_cast<double>(floats.values.size());
}

namespace detail {

using named_shares = std::vector<std::pair<std::string, double>>;

/// Appends the share of a float matrix in the one of the same name and layout.
template <class Layout>
struct compare_with_matrix {
    std::string name;
    const weight_matrix<float, Layout>& floats;
    named_shares& shares;

    template <class Element>
    void operator()(const member_path& path, const weight_matrix<Element, Layout>& w) const {
        if (w.rows() == floats.rows() && w.columns() == floats.columns() && w.structure.stored() == floats.structure.stored() &&
            path.text() == name) {
            shares.emplace_back(name, clipped_share(floats, w));
        }
    }
    template <class Other>
    void operator()(const member_path&, const Other&) const {}
};
template <class Quantized>
struct compare_with_model {
    const Quantized& quantized;
    named_shares& shares;

    template <class Layout>
    void operator()(const member_path& path, const weight_matrix<float, Layout>& w) const {
        for_each_member(quantized, compare_with_matrix<Layout>{path.text(), w, shares});
    }
    template <class Other>
    void operator()(const member_path&, const Other&) const {}
};

/// The same for each matrix of a model whose name and layout is that of a float matrix in the other.
template <class Floats, class Quantized>
named_shares clipped_shares(const Floats& floats, const Quantized& quantized) {
    named_shares shares;
    for_each_member(floats, compare_with_model<Quantized>{quantized, shares});
    return shares;
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
