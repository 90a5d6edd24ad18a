// Any bytes, with their checksum: as an archive, and as the parameters of a model of shared, sparse weights and of bytes.

#include <cstdlib>

#include <pare/io/compressed.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/types/activations.hpp>

using namespace pare;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    io::bytes content(data, data + size);
    const std::uint32_t sum = io::crc32(content);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        content.push_back(static_cast<unsigned char>(sum >> shift));
    }
    const auto file = io::unpack(content, "fuzz");
    if (!file) {
        return 0;
    }
    // What was understood is understood again.
    const auto again = io::unpack(io::pack(file->tensors(), {}).content, "again", std::size_t{1} << 32);
    if (!again || again->tensors().size() != file->tensors().size()) {
        std::abort();
    }
    for (std::size_t i = 0; i < file->tensors().size(); ++i) {
        const auto& a = file->tensors()[i];
        const auto& b = again->tensors()[i];
        if (a.name != b.name || a.type != b.type || a.shape != b.shape ||
            !std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end())) {
            std::abort();
        }
    }
    using shared = weight_matrix<codebook<4>, csr>;
    const auto none = [](std::size_t, std::size_t) { return false; };
    auto model = sequential(dense<4, 3, shared>(shared(csr::structure(3, 4, none)), tensor<float, 3>()),
                            dense<3, 2, weight_matrix<qint8, full>, dynamic_range>(3, 2));
    if (!io::fill_members(model, *file, {})) {
        for (const std::uint8_t code : std::get<0>(model.layers).weights.values) {
            if (code >= 4) {
                std::abort();
            }
        }
    }
    return 0;
}
