#include <cblas.h>

#include <cstring>

#include "task.hpp"

namespace peers {

void openblas(task& t, std::vector<contender>& out) {
    if (t.what != arithmetic::f32 || t.layers.size() != 1) {
        return;
    }
    problem& p = t.layers[0];
    out.push_back({{"OpenBLAS", [&p] {
                        const int m = static_cast<int>(p.s.m), n = static_cast<int>(p.s.n), k = static_cast<int>(p.s.k);
                        for (std::size_t i = 0; i < p.s.m; ++i) {
                            std::memcpy(p.y.data() + i * p.s.n, p.bias.data(), p.s.n * sizeof(float));
                        }
                        if (m == 1) {
                            cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, p.w.values.data(), k, p.x.data(), 1, 1.0f,
                                        p.y.data(), 1);
                        } else {
                            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, p.x.data(), k, p.w.values.data(), k,
                                        1.0f, p.y.data(), n);
                        }
                    }}});
}

}  // namespace peers
