#ifndef PARE_REPORT_ENERGY_HPP
#define PARE_REPORT_ENERGY_HPP

#include <pare/report/model_costs.hpp>

PARE_NAMESPACE_BEGIN

/// What operations take in picojoules, in silicon of 45 nm at 0.9 V: Horowitz, "Computing's energy problem (and what we can do
/// about it)", ISSCC 2014, figure 1.1.9. Memory: 64 bits from a cache of that size, or from DRAM, of whose 1.3 to 2.6 nJ this is
/// the least.
struct operation_energies {
    double float_multiplication = 3.7;  // of 32 bits
    double float_addition = 0.9;
    double byte_multiplication = 0.2;
    double int32_addition = 0.1;
    double cache_32_kb = 20.0;
    double cache_1_mb = 100.0;
    double dram = 1300.0;
};

/// Picojoules that products of one sample take: an estimate, to compare models by, from the operations and bytes there are and
/// what those take in published silicon. Nothing is measured, and a CPU takes more: it also fetches and decodes instructions.
struct energy_estimate {
    double arithmetic_pj = 0.0;
    double weights_pj = 0.0;      // each read once
    double activations_pj = 0.0;  // read and written once by each product
    const char* memory = "";      // where the weights are

    double total_pj() const noexcept { return arithmetic_pj + weights_pj + activations_pj; }
};

/// arithmetic  = sum over layers of multiplications x (multiplication + addition), of floats, or of bytes into 32 bits
/// weights     = bytes of the model, without tables in which rows are looked up, / 8 x energy of the smallest memory above that
///               holds all of the model
/// activations = sum over layers of (inputs + outputs) x bytes of each / 8 x cache_32_kb
///
/// at batch 1. Left out: the arithmetic of biases, functions, norms, pools, quantizing and attention between steps, and rows that
/// are looked up.
inline energy_estimate estimate_energy(const model_costs& costs, const operation_energies& of = {}) noexcept {
    energy_estimate e;
    const std::size_t bytes = costs.size.bytes;
    std::size_t read = bytes;
    for (const layer_cost& l : costs.layers) {
        read -= l.uses == 0 ? l.bytes : 0;
        const double one = l.of_bytes ? of.byte_multiplication + of.int32_addition : of.float_multiplication + of.float_addition;
        e.arithmetic_pj += static_cast<double>(l.multiplications()) * one;
        e.activations_pj += static_cast<double>((l.inputs + l.outputs) * l.activation_bytes) / 8.0 * of.cache_32_kb;
    }
    const bool small = bytes <= std::size_t{32} << 10, medium = bytes <= std::size_t{1} << 20;
    e.memory = small ? "32 KB cache" : medium ? "1 MB cache" : "DRAM";
    e.weights_pj = static_cast<double>(read) / 8.0 * (small ? of.cache_32_kb : medium ? of.cache_1_mb : of.dram);
    return e;
}

PARE_NAMESPACE_END

#endif
