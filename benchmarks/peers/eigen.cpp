#include <Eigen/Core>

#include "task.hpp"

namespace peers {

void eigen(task& t, std::vector<contender>& out) {
    if (t.what != arithmetic::f32 || t.layers.size() != 1) {
        return;
    }
    problem& p = t.layers[0];
    out.push_back({{"Eigen", [&p] {
                        using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
                        const auto m = static_cast<Eigen::Index>(p.s.m), n = static_cast<Eigen::Index>(p.s.n),
                                   k = static_cast<Eigen::Index>(p.s.k);
                        const Eigen::Map<const matrix> x(p.x.data(), m, k), w(p.w.values.data(), n, k);
                        Eigen::Map<matrix> y(p.y.data(), m, n);
                        y.noalias() = x * w.transpose();
                        y.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(p.bias.data(), n);
                    }}});
}

}  // namespace peers
