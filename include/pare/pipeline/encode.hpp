#ifndef PARE_PIPELINE_ENCODE_HPP
#define PARE_PIPELINE_ENCODE_HPP

#include <pare/io/compressed.hpp>
#include <pare/pipeline/stage.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The first tensor that an archive does not give back to the bit.
inline std::optional<error> unfaithful_tensor(std::span<const std::uint8_t> content, std::span<const io::tensor_entry> tensors) {
    std::size_t bytes = std::size_t{1} << 20;
    for (const io::tensor_entry& t : tensors) {
        bytes += t.data.size();
    }
    const auto decoded = io::unpack(content, "encode", bytes);
    if (!decoded) {
        return decoded.error();
    }
    for (const io::tensor_entry& t : tensors) {
        const io::tensor_entry* const found = decoded->find(t.name);
        if (found == nullptr || found->type != t.type || found->shape != t.shape ||
            !std::equal(t.data.begin(), t.data.end(), found->data.begin(), found->data.end())) {
            return error{error_code::invalid_data,
                         sentence("encode: ", t.name, ": expected the file to hold ", t.type, " ", io::shape_text(t.shape),
                                  " as in the model, found ", found == nullptr ? "none" : "other numbers")};
        }
    }
    return std::nullopt;
}

struct encode_stage {
    static constexpr const char* name = "encode";
    static constexpr stage_order order = stage_order::encode;

    std::string path;

    stage_promises promises() const noexcept { return {.zeros = true}; }

    template <class Model, class Data>
    result<encoded<io::packed_archive>> operator()(const Model& model, const Data&) const {
        io::state_writer writer;
        io::serialize_members(writer, const_cast<Model&>(model), io::state_names{});
        if (writer.problem()) {
            return *writer.problem();
        }
        io::packed_archive archive = io::pack(writer.tensors(), writer.metadata());
        auto problem = unfaithful_tensor(archive.content, writer.tensors());
        if (!problem && !path.empty()) {
            problem = io::write_file(path, archive.content);
        }
        if (problem) {
            return *std::move(problem);
        }
        return encoded<io::packed_archive>{std::move(archive)};
    }
};

}  // namespace detail

/// Stage, the last one: the model as an archive, without loss, which is decoded again to see that it is. result->archive.content
/// are the bytes of its file, for load_compressed(); written to `path` where there is one. Errors: a place that cannot be written,
/// names that give two tensors one.
inline auto encode(std::string path = "") {
    return detail::encode_stage{std::move(path)};
}

PARE_NAMESPACE_END

#endif
