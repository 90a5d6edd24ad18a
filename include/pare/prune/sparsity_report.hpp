#ifndef PARE_PRUNE_SPARSITY_REPORT_HPP
#define PARE_PRUNE_SPARSITY_REPORT_HPP

#include <cstdio>
#include <string>
#include <vector>

#include <pare/prune/masks.hpp>

PARE_NAMESPACE_BEGIN

/// How sparse the weights of a member are, and what that saves.
struct layer_sparsity {
    std::string path;              // "0.weight"
    std::string storage;           // "float full, masked to 1680 of 8400", "qint8 csr"
    std::string pattern;           // what chose the mask, or the layout; empty where it has no name
    std::size_t rows = 0;          // outputs
    std::size_t columns = 0;       // inputs
    std::size_t kept = 0;          // by the mask; where there is none, that are not zero
    std::size_t dense_bytes = 0;   // of the same numbers, all of them stored
    std::size_t stored_bytes = 0;  // as they are stored: zeros in a full matrix save nothing

    std::size_t size() const noexcept { return rows * columns; }
    double sparsity() const noexcept { return size() == 0 ? 0.0 : 1.0 - static_cast<double>(kept) / static_cast<double>(size()); }
};

struct model_sparsity {
    std::vector<layer_sparsity> layers;

    /// The sums over all layers, as one of `kept` of 1 x size().
    layer_sparsity whole() const {
        layer_sparsity all{"all", "", "", 1};
        for (const layer_sparsity& l : layers) {
            all.columns += l.size();
            all.kept += l.kept;
            all.dense_bytes += l.dense_bytes;
            all.stored_bytes += l.stored_bytes;
        }
        return all;
    }
};

namespace detail {

template <class Weights>
struct pattern_name {
    static constexpr const char* text = "";
};
template <class Pattern, class Inner>
requires requires {
    Pattern::name;
}
struct pattern_name<masked<Pattern, Inner>> {
    static constexpr const char* text = Pattern::name;
};
template <class Element, class Layout>
struct pattern_name<weight_matrix<Element, Layout>> {
    static constexpr const char* text = Layout::name;
};

template <class Element, class Layout>
std::size_t bytes_in_full(const weight_matrix<Element, Layout>& w) {
    return weight_matrix<Element, full>(full::structure(w.rows(), w.columns())).bytes();
}

template <class Weights>
layer_sparsity sparsity_of(std::string path, const Weights& w) {
    layer_sparsity layer{std::move(path), w.describe(), "", w.rows(), w.columns(), mask_of(w).kept()};
    const auto measure = [&](const auto& matrix) {
        layer.dense_bytes = bytes_in_full(matrix);
        layer.stored_bytes = matrix.bytes();
        layer.pattern = pattern_name<std::remove_cvref_t<decltype(matrix)>>::text;
    };
    if constexpr (requires { w.structure; }) {
        measure(w);
    } else if constexpr (requires { w.chosen(); }) {
        w.visit([&](auto, const auto& matrix) { measure(matrix); });
    } else {
        measure(w.frozen());
        if constexpr (has_mask<const Weights>) {
            layer.pattern = pattern_name<std::remove_cvref_t<decltype(*masked_in(w))>>::text;
        }
    }
    return layer;
}

}  // namespace detail

/// How sparse each of a model's weights is, in the order of members: masked ones as their masks say, others where they are zero.
/// Bytes of weights in training are those that they have when they are frozen. O(parameters).
template <class Model>
model_sparsity sparsity_report(const Model& model) {
    model_sparsity report;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (detail::masked_or_matrix<std::remove_cvref_t<decltype(member)>>) {
            report.layers.push_back(detail::sparsity_of(path.text(), member));
        }
    });
    return report;
}

/// A line per layer and one for all:
///
///     0.weight, 300 x 784, unstructured: 23520 of 235200 kept, sparsity 90.00 %, 940800 -> 940800 bytes
inline std::string describe(const model_sparsity& report) {
    std::string text;
    const auto line = [&](const layer_sparsity& l, const std::string& what) {
        char share[32];
        std::snprintf(share, sizeof share, "%.2f", 100.0 * l.sparsity());
        text += sentence(l.path, what, ": ", l.kept, " of ", l.size(), " kept, sparsity ", static_cast<const char*>(share), " %, ",
                         l.dense_bytes, " -> ", l.stored_bytes, " bytes\n");
    };
    for (const layer_sparsity& l : report.layers) {
        line(l, sentence(", ", l.rows, " x ", l.columns, l.pattern.empty() ? "" : ", ", l.pattern));
    }
    line(report.whole(), "");
    return text;
}

PARE_NAMESPACE_END

#endif
