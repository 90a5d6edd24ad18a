#ifndef PARE_NN_SUMMARY_HPP
#define PARE_NN_SUMMARY_HPP

#include <cstddef>

#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

struct model_summary {
    std::size_t parameters = 0;  // weights, stored or not, and biases; no buffers
    std::size_t nonzero = 0;     // of them
    std::size_t bytes = 0;       // of what a deployed model stores: values, scales, indices, biases
};

/// What a model consists of; one in training counts as frozen. O(parameters).
template <class Model>
model_summary summarize(const Model& model) {
    model_summary sum;
    for_each_member(model, [&](const member_path&, const auto& member) {
        const auto count = [&](const auto& w) {
            sum.parameters += w.rows() * w.columns();
            sum.bytes += w.bytes();
            w.structure.for_each(
                [&](std::size_t row, std::size_t, std::size_t i) { sum.nonzero += w.real(row, i) != 0.0f ? 1 : 0; });
        };
        if constexpr (requires { member.structure; }) {
            count(member);
        } else if constexpr (requires { member.chosen(); }) {
            member.visit([&](auto, const auto& w) { count(w); });
        } else if constexpr (requires { member.frozen(); }) {
            if constexpr (requires { member.frozen().structure; }) {
                count(member.frozen());
            } else {
                sum.bytes += member.frozen().bytes();
            }
        } else if constexpr (!trained_member<std::remove_reference_t<decltype(member)>>) {
            if constexpr (requires { member.bytes(); }) {
                sum.bytes += member.bytes();
            } else {
                sum.bytes += member.values().size_bytes();
            }
        } else {
            sum.parameters += member.size();
            sum.bytes += member.size() * sizeof(float);
            for (const float value : member) {
                sum.nonzero += value != 0.0f ? 1 : 0;
            }
        }
    });
    return sum;
}

PARE_NAMESPACE_END

#endif
