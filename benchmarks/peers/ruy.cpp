#include <memory>

#include <ruy/ruy.h>

#include "task.hpp"

namespace peers {

void ruy(task& t, std::vector<contender>& out) {
    if (t.what != arithmetic::f32 || t.layers.size() != 1) {
        return;
    }
    problem& p = t.layers[0];
    const auto context = std::make_shared<::ruy::Context>();
    context->set_max_num_threads(1);
    out.push_back({{"ruy", [context, &p] {
                        // y^T [n, m] = w [n, k] x^T [k, m]: ruy likes its cached operand on the left.
                        const int m = static_cast<int>(p.s.m), n = static_cast<int>(p.s.n), k = static_cast<int>(p.s.k);
                        ::ruy::Matrix<float> lhs;
                        ::ruy::MakeSimpleLayout(n, k, ::ruy::Order::kRowMajor, lhs.mutable_layout());
                        lhs.set_data(p.w.values.data());
                        lhs.set_cache_policy(::ruy::CachePolicy::kAlwaysCache);
                        ::ruy::Matrix<float> rhs;
                        ::ruy::MakeSimpleLayout(k, m, ::ruy::Order::kColMajor, rhs.mutable_layout());
                        rhs.set_data(p.x.data());
                        ::ruy::Matrix<float> dst;
                        ::ruy::MakeSimpleLayout(n, m, ::ruy::Order::kColMajor, dst.mutable_layout());
                        dst.set_data(p.y.data());
                        ::ruy::MulParams<float, float> parameters;
                        parameters.set_bias(p.bias.data());
                        ::ruy::Mul(lhs, rhs, parameters, context.get(), &dst);
                    }}});
}

}  // namespace peers
