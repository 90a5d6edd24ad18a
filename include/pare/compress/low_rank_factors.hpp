#ifndef PARE_COMPRESS_LOW_RANK_FACTORS_HPP
#define PARE_COMPRESS_LOW_RANK_FACTORS_HPP

#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <pare/compress/svd.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// The weights of a dense layer (taps = 1) or a convolution, W [outputs, taps, inputs], taps being the pixels of its kernel.
struct weights_shape {
    std::size_t outputs = 0;
    std::size_t taps = 1;
    std::size_t inputs = 0;

    constexpr std::size_t size() const noexcept { return outputs * taps * inputs; }
};

/// How many numbers are left between the factors of a layer: `outputs` before the last of them, and `inputs` behind the first,
/// where inputs have a factor of their own (Tucker-2), else 0.
struct factor_ranks {
    std::size_t outputs = 0;
    std::size_t inputs = 0;

    bool operator==(const factor_ranks&) const = default;
    /// The weights of all factors.
    constexpr std::size_t size(const weights_shape& s) const noexcept {
        const std::size_t between = inputs == 0 ? s.inputs : inputs;
        return inputs * s.inputs + outputs * s.taps * between + s.outputs * outputs;
    }
    /// The greatest ranks there are.
    static constexpr factor_ranks most(const weights_shape& s, bool tucker) noexcept {
        return {(std::min)(s.outputs, s.taps * s.inputs), tucker ? (std::min)(s.inputs, s.taps * s.outputs) : 0};
    }
};

/// What a rule chooses ranks by: `by_outputs` are those of W as [outputs, taps * inputs], `by_inputs`, in Tucker form only, those
/// of W as [inputs, outputs * taps].
struct rank_request {
    weights_shape shape;
    const singular_values& by_outputs;
    const singular_values* by_inputs = nullptr;

    bool is_tucker() const noexcept { return by_inputs != nullptr; }
    factor_ranks most() const noexcept { return factor_ranks::most(shape, is_tucker()); }
};

namespace detail {

/// Ranks as they are, or what is wrong with them. In Tucker form neither may be more than the other leaves.
inline result<factor_ranks> checked_ranks(const factor_ranks& r, const weights_shape& s, bool tucker) {
    const factor_ranks most = factor_ranks::most(s, tucker);
    const auto wrong = [](const char* what, std::size_t last, std::size_t found) {
        return error{error_code::invalid_argument, sentence("expected ", what, " from 1 to ", last, ", found ", found)};
    };
    if (r.outputs == 0 || r.outputs > most.outputs) {
        return wrong("a rank", most.outputs, r.outputs);
    }
    if (!tucker && r.inputs != 0) {
        return error{error_code::invalid_argument,
                     sentence("expected no rank of inputs, which have no factor of their own, found ", r.inputs)};
    }
    if (tucker && (r.inputs == 0 || r.inputs > most.inputs)) {
        return wrong("a rank of inputs", most.inputs, r.inputs);
    }
    if (tucker && r.inputs > s.taps * r.outputs) {
        return wrong("a rank of inputs", s.taps * r.outputs, r.inputs);
    }
    if (tucker && r.outputs > s.taps * r.inputs) {
        return wrong("a rank", s.taps * r.inputs, r.outputs);
    }
    return r;
}

inline std::optional<error> share_problem(const char* of, double share) {
    if (share > 0.0 && share <= 1.0) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence("expected a share of ", of, " above 0 and at most 1, found ", share)};
}

/// The least rank, from 1 on, without which at most `lost` is left of the squares.
inline std::size_t least_rank(const singular_values& s, double lost) noexcept {
    std::size_t rank = s.values.size();
    for (double sum = 0.0; rank > 1; --rank) {
        sum += s.values[rank - 1] * s.values[rank - 1];
        if (sum > lost) {
            break;
        }
    }
    return rank;
}

}  // namespace detail

/// Rules for factorize(): result<factor_ranks>(const rank_request&), the error without the name of the layer.

/// This rank; in Tucker form of inputs too, or another of these.
struct rank_of {
    std::size_t rank;
    std::size_t input_rank = 0;  // 0: as `rank`

    result<factor_ranks> operator()(const rank_request& of) const {
        return detail::checked_ranks({rank, of.is_tucker() ? (input_rank == 0 ? rank : input_rank) : 0}, of.shape, of.is_tucker());
    }
};

/// The least rank that keeps this share of the sum of all squared weights. In Tucker form either side may lose half of the rest,
/// since what both lose is at most the sum (De Lathauwer, De Moor, Vandewalle 2000, property 10).
struct energy_share {
    double share;

    result<factor_ranks> operator()(const rank_request& of) const {
        if (const auto problem = detail::share_problem("the energy", share)) {
            return *problem;
        }
        const double lost = (1.0 - share) * of.by_outputs.energy();
        if (!of.is_tucker()) {
            return factor_ranks{detail::least_rank(of.by_outputs, lost)};
        }
        factor_ranks r{detail::least_rank(of.by_outputs, lost / 2.0), detail::least_rank(*of.by_inputs, lost / 2.0)};
        r.outputs = (std::min)(r.outputs, of.shape.taps * r.inputs);
        r.inputs = (std::min)(r.inputs, of.shape.taps * r.outputs);
        return r;
    }
};

/// The greatest rank whose factors have at most this share of the weights, at least 1; in Tucker form inputs have the same share of
/// their greatest rank as outputs, rounded up.
struct parameter_share {
    double share;

    result<factor_ranks> operator()(const rank_request& of) const {
        if (const auto problem = detail::share_problem("the parameters", share)) {
            return *problem;
        }
        const factor_ranks most = of.most();
        const auto ranks = [&](std::size_t rank) {
            return factor_ranks{rank, (most.inputs * rank + most.outputs - 1) / most.outputs};
        };
        std::size_t rank = most.outputs;
        while (rank > 1 && static_cast<double>(ranks(rank).size(of.shape)) > share * static_cast<double>(of.shape.size())) {
            --rank;
        }
        return ranks(rank);
    }
};

/// The weights of the layers that a layer is factorized into, from its input on.
struct low_rank_factors {
    std::vector<float> first;     // [ranks.inputs, inputs], in Tucker form only
    std::vector<float> core;      // [ranks.outputs, taps, inputs or ranks.inputs]
    std::vector<float> last;      // [outputs, ranks.outputs]
    double relative_error = 0.0;  // |W - their product| / |W|, root sums of squares; 0 where W is
};

namespace detail {

/// W [outputs, taps, inputs] as [inputs, outputs * taps].
inline std::vector<double> by_inputs(std::span<const double> w, const weights_shape& s) {
    std::vector<double> turned(s.size());
    const std::size_t rows = s.outputs * s.taps;
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < s.inputs; ++j) {
            turned[j * rows + i] = w[i * s.inputs + j];
        }
    }
    return turned;
}

/// The product of u [rank, n], the first vectors of a side, and m [n, columns].
inline std::vector<double> projected(std::span<const double> u, std::size_t rank, std::span<const double> m, std::size_t n) {
    const std::size_t columns = m.size() / n;
    std::vector<double> y(rank * columns, 0.0);
    for (std::size_t r = 0; r < rank; ++r) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < columns; ++j) {
                y[r * columns + j] += u[r * n + i] * m[i * columns + j];
            }
        }
    }
    return y;
}

inline std::vector<float> to_floats(std::span<const double> x) {
    std::vector<float> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] = static_cast<float>(x[i]);
    }
    return y;
}
/// u [rank, n] as [n, rank].
inline std::vector<float> as_columns(std::span<const double> u, std::size_t rank, std::size_t n) {
    std::vector<float> y(n * rank);
    for (std::size_t r = 0; r < rank; ++r) {
        for (std::size_t i = 0; i < n; ++i) {
            y[i * rank + r] = static_cast<float>(u[r * n + i]);
        }
    }
    return y;
}

inline double share_left(double left, double all) noexcept {
    return all > 0.0 ? std::sqrt((std::max)(left, 0.0) / all) : 0.0;
}

}  // namespace detail

/// W = last core, the best of its rank (Eckart, Young 1936): the terms of the largest singular values, whose roots go to both
/// sides, so that both learn at the same pace. For convolutions Zhang, Zou, He, Sun 2015, section 3.1, without the data.
inline low_rank_factors svd_factors(const singular_values& s, std::size_t rank) {
    std::vector<double> core(s.right.begin(), s.right.begin() + static_cast<std::ptrdiff_t>(rank * s.columns));
    std::vector<double> last(s.left.begin(), s.left.begin() + static_cast<std::ptrdiff_t>(rank * s.rows));
    for (std::size_t r = 0; r < rank; ++r) {
        const double root = std::sqrt(s.values[r]);
        for (std::size_t i = 0; i < s.columns; ++i) {
            core[r * s.columns + i] *= root;
        }
        for (std::size_t i = 0; i < s.rows; ++i) {
            last[r * s.rows + i] *= root;
        }
    }
    return {{}, detail::to_floats(core), detail::as_columns(last, rank, s.rows), detail::share_left(s.energy(rank), s.energy())};
}

/// Tucker-2: W(o, t, i) = sum over p, q of last(o, p) core(p, t, q) first(q, i). The sides begin with the first singular vectors of
/// W seen from each (HOSVD); then each in turn becomes the best for the other (HOOI), until that gains less than 1e-6 of W's
/// energy, at most ten times. Kim, Park, Yoo, Choi, Yang, Shin 2016, section 3.2; De Lathauwer, De Moor, Vandewalle 2000.
inline low_rank_factors tucker_factors(std::span<const double> w, const weights_shape& s, const factor_ranks& ranks,
                                       const singular_values& outputs, const singular_values& inputs) {
    constexpr int most_iterations = 10;
    const double whole = outputs.energy();
    const std::vector<double> turned = detail::by_inputs(w, s);
    std::vector<double> to_outputs = outputs.left, from_inputs = inputs.left;
    double kept = 0.0;
    for (int iteration = 0; iteration < most_iterations; ++iteration) {
        const weights_shape narrow{s.outputs, s.taps, ranks.inputs}, short_of{ranks.outputs, s.taps, s.inputs};
        const auto by_inputs = detail::projected(from_inputs, ranks.inputs, turned, s.inputs);  // [ranks.inputs, outputs * taps]
        std::vector<double> y(narrow.size());
        for (std::size_t q = 0; q < ranks.inputs; ++q) {
            for (std::size_t i = 0; i < s.outputs * s.taps; ++i) {
                y[i * ranks.inputs + q] = by_inputs[q * s.outputs * s.taps + i];
            }
        }
        to_outputs = singular_value_decomposition(y, s.outputs, s.taps * ranks.inputs).left;
        const auto z = detail::projected(to_outputs, ranks.outputs, w, s.outputs);  // [ranks.outputs, taps * inputs]
        const auto seen = singular_value_decomposition(detail::by_inputs(z, short_of), s.inputs, ranks.outputs * s.taps);
        from_inputs = seen.left;
        const double now = seen.energy() - seen.energy(ranks.inputs);
        const bool done = now - kept <= 1e-6 * whole;
        kept = now;
        if (done) {
            break;
        }
    }
    const auto z = detail::projected(to_outputs, ranks.outputs, w, s.outputs);
    std::vector<double> core(ranks.outputs * s.taps * ranks.inputs);
    for (std::size_t i = 0; i < ranks.outputs * s.taps; ++i) {
        for (std::size_t q = 0; q < ranks.inputs; ++q) {
            core[i * ranks.inputs + q] = detail::dot(z.data() + i * s.inputs, from_inputs.data() + q * s.inputs, s.inputs);
        }
    }
    from_inputs.resize(ranks.inputs * s.inputs);
    return {detail::to_floats(from_inputs), detail::to_floats(core), detail::as_columns(to_outputs, ranks.outputs, s.outputs),
            detail::share_left(whole - detail::dot(core.data(), core.data(), core.size()), whole)};
}

PARE_NAMESPACE_END

#endif
