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
        const auto count = [&](const auto& values) {
            for (const auto value : values) {
                sum.nonzero += value != 0 ? 1 : 0;
            }
        };
        if constexpr (requires { member.structure; }) {
            sum.parameters += member.rows() * member.columns();
            sum.bytes += member.bytes();
            count(member.values);
        } else if constexpr (requires { member.frozen(); }) {
            const auto w = member.frozen();
            sum.bytes += w.bytes();
            if constexpr (requires { w.structure; }) {
                sum.parameters += w.rows() * w.columns();
                count(w.values);
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
            count(member);
        }
    });
    return sum;
}

PARE_NAMESPACE_END

#endif
