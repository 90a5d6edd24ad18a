// Any bytes: as a safetensors file, as the logits of a teacher, as the parameters of a model of float, sparse and 4-bit weights.

#include <cstdlib>

#include <pare/io/model.hpp>
#include <pare/io/teacher_logits.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/types/activations.hpp>

using namespace pare;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto file = io::safetensors::parse(io::bytes(data, data + size), "fuzz");
    if (!file) {
        return 0;
    }
    // What was understood is understood again.
    const auto again =
        io::safetensors::parse(io::safetensors_content({file->tensors().begin(), file->tensors().end()}, {}), "again");
    if (!again || again->tensors().size() != file->tensors().size()) {
        std::abort();
    }
    for (const auto& t : file->tensors()) {
        const io::tensor_entry* const same = again->find(t.name);
        if (same == nullptr || same->type != t.type || same->shape != t.shape ||
            !std::equal(t.data.begin(), t.data.end(), same->data.begin(), same->data.end())) {
            std::abort();
        }
    }
    using sparse = weight_matrix<float, csr>;
    const auto none = [](std::size_t, std::size_t) { return false; };
    auto model = sequential(dense<4, 3, sparse>(sparse(csr::structure(3, 4, none)), tensor<float, 3>()), dense<3, 2>(),
                            dense<2, 2, weight_matrix<qint4<16>, full>, dynamic_range>(2, 2));
    io::state_reader reader(*file);
    io::serialize_members(reader, model, io::state_names{});
    (void)reader.problem([](const std::string&) { return false; });
    if (const auto logits = io::teacher_logits_in(*file); logits && logits->classes() <= size) {
        std::vector<float> row(logits->classes());
        logits->read(logits->samples() - 1, row.data());
    }
    return 0;
}
