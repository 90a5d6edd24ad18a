#ifndef PARE_EXAMPLES_REPRODUCE_EXPERIMENT_HPP
#define PARE_EXAMPLES_REPRODUCE_EXPERIMENT_HPP

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <pare/core/result.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>

// What the experiments of reproduce.cpp share. Each is a function in a file of its own, which takes the options of the command line
// and returns the exit code: 0, 1 where it could not run, 2 where its figures miss what it claims.

namespace reproduce {

struct options {
    std::string data = ".";  // directory of MNIST
    std::string json;        // file for the figures, where not empty
    std::string svg;         // file for the plot, of experiments that have one
    std::uint64_t seed = 1;
    std::size_t seeds = 0;  // runs with consecutive seeds, of experiments that repeat themselves; 0 is the experiment's own number
    std::size_t threads = 1;
    bool quick = false;
};

int deep_compression_300_100(const options& o);
int deep_compression_lenet5(const options& o);
int hinton(const options& o);
int lottery_ticket(const options& o);
int prune_300_100(const options& o);
int shrink_lenet5(const options& o);
int small_student(const options& o);
int tfmot_clustering(const options& o);
int tfmot_pruning(const options& o);

using digits = pare::labeled_data<std::uint8_t, pare::dyn, pare::dyn>;

inline pare::result<digits> load_mnist(const options& o, const char* part) {
    return pare::io::load_mnist(o.data, part, [](const std::string& path) { return pare::io::read_gzip_file(path); });
}

/// Samples [first, first + count) of a data set, which must outlive it.
template <class Data>
struct part_of {
    const Data* data;
    std::size_t first;
    std::size_t count;

    std::size_t size() const noexcept { return count; }
    std::size_t classes() const noexcept { return data->classes(); }
    const auto& sample_shape() const noexcept { return data->sample_shape(); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const {
        for (const std::size_t i : indices) {
            const std::size_t there = first + i;
            data->fetch({&there, 1}, inputs, labels++);
            inputs += sample_shape().size();
        }
    }
};

inline int fail(const pare::error& problem) {
    std::fprintf(stderr, "%s\n", problem.message.c_str());
    return 1;
}
/// Exit code 2 where a claim does not hold.
inline int missed(bool holds, const char* claim) {
    if (!holds) {
        std::fprintf(stderr, "missed: %s\n", claim);
    }
    return holds ? 0 : 2;
}

/// Writes text to a file, if it has a name; false where that fails.
inline bool write(const std::string& path, const std::string& text) {
    if (path.empty()) {
        return true;
    }
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) {
        std::fprintf(stderr, "%s: expected a file that can be written\n", path.c_str());
    }
    return bool(file);
}

}  // namespace reproduce

#endif
