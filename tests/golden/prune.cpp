#include <pare/prune/pruning.hpp>

#include <string>
#include <vector>

#include "golden.hpp"

using namespace pare;

namespace {

/// A tensor of a case as a matrix [outputs, inputs]. The window of a convolution stays in front of its place here: [outputs, height
/// * width * inputs].
struct golden_matrix {
    weight_shape shape;
    std::vector<float> weights;
    sparse_mask expected;
};

golden_matrix matrix_of(const nlohmann::json& c, const std::string& weight, const std::string& mask) {
    const auto extents = c["tensors"][weight]["shape"].get<std::vector<std::size_t>>();
    const auto weights = golden_numbers(c, weight);
    const auto kept = golden_numbers<int>(c, mask);
    REQUIRE(weights.size() == kept.size());
    golden_matrix m{{extents[0], weights.size() / extents[0]}, std::vector<float>(weights.size()), {}};
    m.shape.channels = extents.size() > 1 ? extents[1] : m.shape.columns;
    m.expected = sparse_mask(m.shape.rows, m.shape.columns);
    const std::size_t window = m.shape.columns / m.shape.channels;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::size_t channel = i / window % m.shape.channels, place = i % window;
        const std::size_t here = i / m.shape.columns * m.shape.columns + place * m.shape.channels + channel;
        m.weights[here] = weights[i];
        m.expected.set(here, kept[i] != 0);
    }
    return m;
}

template <class Criterion, class Pattern>
sparse_mask pruned(const golden_matrix& m, const Criterion& criterion, const Pattern& pattern, double sparsity, int rounds) {
    sparse_mask mask(m.shape.rows, m.shape.columns);
    for (int round = 0; round < rounds; ++round) {
        criterion_input input;
        input.weights = m.weights;
        mask = choose_mask(pattern, scores_of(criterion, input), m.shape, sparsity, torch_count{}, mask);
    }
    return mask;
}

template <class Pattern>
sparse_mask pruned(const golden_matrix& m, const nlohmann::json& norm, const Pattern& pattern, double sparsity) {
    if (norm == 1) {
        return pruned(m, magnitude{}, pattern, sparsity, 1);
    }
    REQUIRE(norm == 2);
    return pruned(m, magnitude_l2{}, pattern, sparsity, 1);
}

}  // namespace

TEST_CASE("masks are those of PyTorch") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("prune.json")) {
        const std::string name = c["name"], kind = golden_kind(c);
        const auto& attr = c["attr"];
        CAPTURE(name);
        ++seen;
        if (kind == "l1_unstructured") {
            const auto m = matrix_of(c, "weight", "mask");
            const double sparsity = attr.contains("count") ? attr["count"].get<double>() / static_cast<double>(m.weights.size())
                                                           : attr["amount"].get<double>();
            CHECK(pruned(m, magnitude{}, unstructured{}, sparsity, attr.value("rounds", 1)) == m.expected);
        } else if (kind == "ln_structured") {
            const auto m = matrix_of(c, "weight", "mask");
            const double sparsity = attr["amount"];
            if (attr.value("dim", 0) == 0) {
                CHECK(pruned(m, attr["norm"], by_filter{}, sparsity) == m.expected);
            } else {
                CHECK(pruned(m, attr["norm"], by_channel{}, sparsity) == m.expected);
            }
        } else if (kind == "global_unstructured") {
            const auto a = matrix_of(c, "weight_a", "mask_a"), b = matrix_of(c, "weight_b", "mask_b");
            sparse_mask mask_a(a.shape.rows, a.shape.columns), mask_b(b.shape.rows, b.shape.columns);
            criterion_input input_a, input_b;
            input_a.weights = a.weights;
            input_b.weights = b.weights;
            const double sparsity = attr["amount"];
            detail::choose_masks({{input_a, a.shape, &mask_a, "a"}, {input_b, b.shape, &mask_b, "b"}}, magnitude{}, unstructured{},
                                 global_scope{}, torch_count{}, sparsity, sparsity);
            CHECK(mask_a == a.expected);
            CHECK(mask_b == b.expected);
        } else {
            FAIL("no such kind of case is known");
        }
    }
    CHECK(seen > 0);
}
