#ifndef PARE_PRUNE_LAYOUT_COSTS_HPP
#define PARE_PRUNE_LAYOUT_COSTS_HPP

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

/// What a product by weights in a layout costs on an instruction set, in nanoseconds: for 1, 8 and 64 rows of activations
///
///     call + per_output * outputs + per_input * inputs + per_value * stored values
///
/// with everything in the second-level cache. The name of the layout is weight_matrix::describe(): "float csr"; "float patches" and
/// "qint8 patches" say what copying the patches of a convolution costs, per number.
struct layout_cost {
    static constexpr std::size_t rows[3] = {1, 8, 64};
    struct terms {
        float call, per_output, per_input, per_value;
    };

    std::string_view isa;
    std::string_view weights;
    terms of_rows[3];
};

namespace detail {

/// Weights beyond the second-level cache are read at these costs, in nanoseconds per byte: from the third level, from memory.
struct reading_cost {
    static constexpr double second_level_bytes = 1 << 20, third_level_bytes = 32 << 20;
    double third_level, memory;
};

// One core of an AMD EPYC of family 25 (Zen 4), 2026-11-24, g++ 12 -O2: what each of build/benchmarks/fit_layout_costs_<instruction
// set> prints.
// clang-format off
inline constexpr reading_cost layout_reading_cost{0.01003, 0.05861};
inline constexpr layout_cost layout_costs[] = {
    {"scalar", "float full", {{76.14f, 0.8166f, 0, 0.1752f}, {0, 6.927f, 0.04315f, 1.646f}, {0, 52.74f, 0, 13.2f}}},
    {"scalar", "qint8 full", {{30.34f, 3.381f, 1.551f, 0.327f}, {238.9f, 24.14f, 9.717f, 2.622f}, {0, 198.8f, 98.7f, 20.95f}}},
    {"scalar", "float csr", {{34.62f, 1.271f, 0.009066f, 0.6346f}, {0, 18.05f, 2.525f, 1.72f}, {0, 144.7f, 19.27f, 14.08f}}},
    {"scalar", "qint8 csr", {{48.64f, 3.598f, 1.688f, 0.5475f}, {40.06f, 21.14f, 14.55f, 1.923f}, {0, 171.8f, 119.1f, 15.45f}}},
    {"scalar", "float bsr<16, 4>", {{0, 4.124f, 0, 0.2677f}, {0, 13.68f, 1.468f, 1.595f}, {0, 111.3f, 11.79f, 12.72f}}},
    {"scalar", "qint8 bsr<16, 4>", {{0, 6.927f, 1.476f, 0.3377f}, {0, 17.07f, 10.33f, 2.824f}, {0, 131.6f, 88.89f, 22.44f}}},
    {"scalar", "float patches", {{0, 0, 0.5782f, 0}, {0, 0, 4.626f, 0}, {0, 0, 37.01f, 0}}},
    {"scalar", "qint8 patches", {{0, 0, 0.06162f, 0}, {0, 0, 0.493f, 0}, {0, 0, 3.944f, 0}}},
    {"sse4_1", "float full", {{8.936f, 0, 1.256f, 0.04978f}, {43.89f, 4.339f, 1.238f, 0.41f}, {0, 40.67f, 13.75f, 3.187f}}},
    {"sse4_1", "qint8 full", {{106.7f, 0.105f, 0.1084f, 0.03636f}, {232.9f, 5.409f, 1.551f, 0.2162f}, {1786.0f, 40.06f, 11.86f, 1.736f}}},
    {"sse4_1", "float csr", {{15.52f, 1.348f, 0.5841f, 0.2558f}, {0, 6.264f, 5.603f, 0.5329f}, {0, 52.47f, 44.53f, 4.32f}}},
    {"sse4_1", "qint8 csr", {{51.66f, 1.826f, 0.5421f, 0.2124f}, {131.4f, 9.162f, 6.61f, 0.9994f}, {834.4f, 76.29f, 54.14f, 7.925f}}},
    {"sse4_1", "float bsr<16, 4>", {{9.048f, 1.489f, 0.02346f, 0.07954f}, {0, 6.666f, 2.874f, 0.5532f}, {0, 54.94f, 22.85f, 4.422f}}},
    {"sse4_1", "qint8 bsr<16, 4>", {{60.08f, 1.653f, 0.2041f, 0.04406f}, {109.4f, 3.932f, 2.808f, 0.256f}, {790.7f, 31.34f, 22.68f, 2.053f}}},
    {"sse4_1", "float patches", {{0, 0, 0.1418f, 0}, {0, 0, 1.135f, 0}, {0, 0, 9.076f, 0}}},
    {"sse4_1", "qint8 patches", {{0, 0, 0.06174f, 0}, {0, 0, 0.4939f, 0}, {0, 0, 3.951f, 0}}},
    {"avx2", "float full", {{0, 0, 0.669f, 0.03139f}, {1.671f, 0.4429f, 1.444f, 0.1533f}, {405.0f, 1.237f, 6.731f, 1.147f}}},
    {"avx2", "qint8 full", {{61.11f, 0, 0.2224f, 0.01728f}, {88.03f, 1.848f, 2.013f, 0.09567f}, {1487.0f, 3.689f, 7.231f, 0.7593f}}},
    {"avx2", "float csr", {{25.99f, 0.6982f, 0.3736f, 0.2286f}, {23.19f, 1.731f, 2.032f, 0.2919f}, {136.9f, 12.07f, 17.47f, 2.399f}}},
    {"avx2", "qint8 csr", {{47.21f, 0.9923f, 0.7201f, 0.1993f}, {140.4f, 1.267f, 2.239f, 0.3286f}, {958.3f, 11.39f, 18.9f, 2.618f}}},
    {"avx2", "float bsr<16, 4>", {{19.39f, 0.4234f, 0.01636f, 0.04342f}, {28.39f, 2.43f, 4.776f, 0.305f}, {279.5f, 19.7f, 37.73f, 2.44f}}},
    {"avx2", "qint8 bsr<16, 4>", {{48.49f, 0.6361f, 0.09656f, 0.02209f}, {117.7f, 1.256f, 1.925f, 0.1088f}, {873.1f, 10.24f, 15.65f, 0.8698f}}},
    {"avx2", "float n_of_m<2, 4>", {{0, 0, 0.6475f, 0.03512f}, {0, 0, 2.317f, 0.218f}, {0, 0, 21.45f, 2.518f}}},
    {"avx2", "float patches", {{0, 0, 0.119f, 0}, {0, 0, 0.952f, 0}, {0, 0, 7.616f, 0}}},
    {"avx2", "qint8 patches", {{0, 0, 0.06694f, 0}, {0, 0, 0.5355f, 0}, {0, 0, 4.284f, 0}}},
    {"avx512bw", "float full", {{0, 0, 0.6957f, 0.02931f}, {0, 0.1122f, 1.243f, 0.1413f}, {0, 0, 9.935f, 1.085f}}},
    {"avx512bw", "qint8 full", {{47.1f, 0, 0.4274f, 0.01544f}, {96.6f, 0, 1.754f, 0.0857f}, {878.9f, 0, 9.303f, 0.7885f}}},
    {"avx512bw", "float csr", {{23.21f, 0.9678f, 0.3919f, 0.2196f}, {0, 3.35f, 9.882f, 0.4219f}, {108.4f, 10.38f, 12.86f, 1.717f}}},
    {"avx512bw", "qint8 csr", {{59.07f, 0.6615f, 0.5479f, 0.2043f}, {184.2f, 2.562f, 8.519f, 0.5391f}, {757.8f, 7.26f, 16.96f, 2.166f}}},
    {"avx512bw", "float bsr<16, 4>", {{14.89f, 0.1411f, 0, 0.03616f}, {9.615f, 0.6838f, 2.909f, 0.1336f}, {158.3f, 5.647f, 22.63f, 1.069f}}},
    {"avx512bw", "qint8 bsr<16, 4>", {{56.45f, 0.2438f, 0.06095f, 0.01599f}, {120.0f, 0.4827f, 1.767f, 0.08315f}, {708.6f, 3.807f, 15.7f, 0.6794f}}},
    {"avx512bw", "float patches", {{0, 0, 0.09585f, 0}, {0, 0, 0.7668f, 0}, {0, 0, 6.134f, 0}}},
    {"avx512bw", "qint8 patches", {{0, 0, 0.06724f, 0}, {0, 0, 0.5379f, 0}, {0, 0, 4.304f, 0}}},
    {"avx512_vnni", "float full", {{0, 0, 0.7095f, 0.02899f}, {0, 0.04724f, 1.227f, 0.1419f}, {0, 0, 9.649f, 1.087f}}},
    {"avx512_vnni", "qint8 full", {{62.98f, 0.06045f, 0.2249f, 0.009273f}, {130.1f, 0, 1.028f, 0.03637f}, {715.5f, 0.3317f, 7.834f, 0.2838f}}},
    {"avx512_vnni", "float csr", {{24.85f, 0.575f, 0.4116f, 0.2197f}, {32.45f, 3.267f, 8.523f, 0.4142f}, {280.9f, 8.813f, 11.84f, 1.702f}}},
    {"avx512_vnni", "qint8 csr", {{71.15f, 0.6658f, 0.4761f, 0.2067f}, {146.9f, 1.362f, 15.7f, 0.5327f}, {1124.0f, 4.626f, 16.0f, 2.157f}}},
    {"avx512_vnni", "float bsr<16, 4>", {{14.25f, 0.1289f, 0, 0.0363f}, {8.556f, 0.7562f, 2.958f, 0.1391f}, {36.45f, 5.477f, 24.8f, 1.104f}}},
    {"avx512_vnni", "qint8 bsr<16, 4>", {{52.02f, 0.3019f, 0.07488f, 0.009182f}, {122.5f, 0.8239f, 1.272f, 0.03376f}, {816.8f, 5.368f, 5.777f, 0.2841f}}},
    {"avx512_vnni", "float n_of_m<2, 4>", {{0, 0, 0.5153f, 0.03276f}, {0, 0, 2.283f, 0.1984f}, {0, 0, 16.64f, 1.576f}}},
    {"avx512_vnni", "qint8 n_of_m<2, 4>", {{52.18f, 0, 0.2242f, 0.01159f}, {119.0f, 0, 1.052f, 0.06217f}, {867.4f, 0.2765f, 8.328f, 0.4613f}}},
    {"avx512_vnni", "float patches", {{0, 0, 0.09523f, 0}, {0, 0, 0.7618f, 0}, {0, 0, 6.095f, 0}}},
    {"avx512_vnni", "qint8 patches", {{0, 0, 0.06164f, 0}, {0, 0, 0.4931f, 0}, {0, 0, 3.945f, 0}}},
};
// clang-format on

/// The costs of weights on an instruction set, or null where nobody has measured them.
constexpr const layout_cost* find_layout_cost(std::string_view isa, std::string_view weights) noexcept {
    for (const layout_cost& c : layout_costs) {
        if (c.isa == isa && c.weights == weights) {
            return &c;
        }
    }
    return nullptr;
}

/// The instruction set whose measured costs stand for those of `isa`: its own; or, where nobody has measured any, those of the one
/// with vectors of 128 bits for another such, and else those of the one with the same dot product.
constexpr std::string_view measured_isa(std::string_view isa) noexcept {
    const std::string_view alike = isa.substr(0, 4) == "neon" ? "sse4_1" : "avx512_vnni";
    return find_layout_cost(isa, "float full") != nullptr ? isa : alike;
}

}  // namespace detail

/// The predicted nanoseconds of a product of `rows` rows by a matrix [outputs, inputs] of which `stored` values in `bytes` bytes
/// are there: the costs above, between 1, 8 and 64 rows in straight lines and beyond in proportion; at least what reading the
/// weights takes where they are too many for the second-level cache.
constexpr double predicted_ns(const layout_cost& cost, std::size_t rows, std::size_t outputs, std::size_t inputs,
                              std::size_t stored, std::size_t bytes) noexcept {
    const auto at = [&](std::size_t i) {
        const layout_cost::terms& t = cost.of_rows[i];
        return double{t.call} + double{t.per_output} * static_cast<double>(outputs) +
               double{t.per_input} * static_cast<double>(inputs) + double{t.per_value} * static_cast<double>(stored);
    };
    double ns = at(2) * static_cast<double>(rows) / static_cast<double>(layout_cost::rows[2]);
    for (std::size_t i = 0; i < 2; ++i) {
        const std::size_t from = layout_cost::rows[i], to = layout_cost::rows[i + 1];
        if (rows >= from && rows < to) {
            ns = at(i) + (at(i + 1) - at(i)) * static_cast<double>(rows - from) / static_cast<double>(to - from);
        }
    }
    using reading = detail::reading_cost;
    const auto all = static_cast<double>(bytes);
    if (all <= reading::second_level_bytes) {
        return ns;
    }
    const double beyond = (std::min)((std::max)(all / reading::third_level_bytes - 0.5, 0.0), 1.0);  // of the third level
    const double per_byte = detail::layout_reading_cost.third_level +
                            beyond * (detail::layout_reading_cost.memory - detail::layout_reading_cost.third_level);
    return (std::max)(ns, all * per_byte);
}

PARE_NAMESPACE_END

#endif
