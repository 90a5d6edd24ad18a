#ifndef PARE_IO_COMPRESSED_HPP
#define PARE_IO_COMPRESSED_HPP

#include <pare/io/archive_report.hpp>
#include <pare/io/model.hpp>
#include <pare/io/pack.hpp>

PARE_NAMESPACE_BEGIN

/// Writes a model, or a result of one, as an archive: what save() would write, without loss in fewer bytes. Errors: those of
/// save().
template <class Model>
[[nodiscard]] result<io::packed_archive> save_compressed(const Model& model, const std::string& path,
                                                         const io::state_names& names = {}) {
    return and_then(model, [&](const auto& m) -> result<io::packed_archive> {
        static_assert(has_members<std::remove_cvref_t<decltype(m)>>,
                      "pare: save_compressed() takes a model; a prepared one cannot be saved: save what it was made from");
        io::state_writer writer;
        io::serialize_members(writer, const_cast<std::remove_cvref_t<decltype(m)>&>(m), names);
        if (writer.problem()) {
            return *writer.problem();
        }
        auto archive = io::pack(writer.tensors(), writer.metadata());
        if (auto problem = io::write_file(path, archive.content)) {
            return *std::move(problem);
        }
        return archive;
    });
}

/// Fills a model from a file of save_compressed(), as load() does from one of save(). Errors: those of io::unpack() and of load();
/// tensors may take 16 bytes for each number of the model's, and a mebibyte.
template <class Model>
[[nodiscard]] std::optional<error> load_compressed(Model& model, const std::string& path, const io::state_names& names = {}) {
    static_assert(has_members<Model>, "pare: load_compressed() takes a model");
    std::size_t numbers = 0;
    for_each_member(model, [&](const member_path&, const auto& member, const auto&...) {
        if constexpr (requires { member.columns(); }) {
            numbers += (member.rows() + 1) * (member.columns() + 1);
        } else if constexpr (requires { member.size(); }) {
            numbers += member.size();
        }
    });
    const auto file = and_then(io::read_file(path), [&](const io::bytes& content) {
        return io::unpack(content, path, 16 * numbers + (std::size_t{1} << 20));
    });
    return file ? io::fill_members(model, *file, names) : std::optional<error>(file.error());
}

PARE_NAMESPACE_END

#endif
