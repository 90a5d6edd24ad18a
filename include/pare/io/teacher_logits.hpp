#ifndef PARE_IO_TEACHER_LOGITS_HPP
#define PARE_IO_TEACHER_LOGITS_HPP

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <pare/distill/teacher_logits.hpp>
#include <pare/io/archive.hpp>
#include <pare/io/packed_format.hpp>
#include <pare/train/dataset.hpp>

PARE_NAMESPACE_BEGIN

/// The logits of a teacher in a safetensors file, in the form in which they are kept:
///
///     logits                     F32 or F16 [samples, classes]
///     logits.label, logits.byte, those of top_k, see teacher_logits::serialize, and logits.classes, U32 [1]
///     logits.scale
///     samples.crc32              U32 [1], of the inputs of up to 256 samples from the first to the last: which data set it is
///
/// So a file that another program has made of a matrix "logits" alone is one, too. It may be BF16 there, and have other tensors.

namespace io {

namespace detail {

/// What tells data sets of the same size apart, and the same one in another order: the bytes of some of the inputs.
template <dataset Data>
result<std::uint32_t> crc32_of_samples(const Data& data) {
    constexpr std::size_t most = 256;
    const std::size_t count = (std::min)(most, std::size_t{data.size()});
    std::vector<std::size_t> indices(count);
    for (std::size_t j = 1; j < count; ++j) {
        indices[j] = (data.size() - 1) / (count - 1) * j + (data.size() - 1) % (count - 1) * j / (count - 1);
    }
    pare::detail::batch_buffer<Data> buffer(data, count);
    if (auto problem = buffer.fetch(data, indices)) {
        return *std::move(problem);
    }
    const std::span<const float> inputs(buffer.inputs(), count * data.sample_shape().size());
    bytes copy(inputs.size_bytes());
    std::memcpy(copy.data(), inputs.data(), copy.size());
    return crc32(copy);
}

/// As many rows as samples of a data set, and at least as many columns as classes, or as many as targets?
template <dataset Data>
std::optional<error> logits_of_other_data(const teacher_logits& logits, const Data& data, const std::string& file) {
    std::size_t classes = 0;
    bool fits = logits.samples() == data.size();
    if constexpr (labelled_dataset<Data>) {
        classes = data.classes();
        fits = fits && logits.classes() >= classes;
    } else {
        classes = data.targets();
        fits = fits && logits.classes() == classes;
    }
    if (fits) {
        return std::nullopt;
    }
    return error{error_code::invalid_data,
                 sentence(file, ": tensor \"logits\": expected ", std::size_t{data.size()}, " samples of ",
                          labelled_dataset<Data> ? "at least " : "", classes, " classes, those of the data set, found ",
                          logits.samples(), " of ", logits.classes())};
}

}  // namespace detail

/// Those in a file, of whatever data set. Allocates no more than in proportion to the file. Errors: tensors that are not there or
/// of other types and shapes, logits that are not finite, labels that are none of the classes or come twice in a sample.
inline result<teacher_logits> teacher_logits_in(const safetensors& file) {
    const tensor_entry* const whole = file.find("logits");
    const tensor_entry* const shape = whole != nullptr ? whole : file.find("logits.label");
    state_reader reader(file);
    if (shape == nullptr || shape->shape.size() != 2 || shape->shape[0] == 0 || shape->shape[1] == 0) {
        reader.fail(shape == nullptr ? "logits" : shape->name, "samples by classes, or by the number of labels",
                    shape == nullptr ? std::string("no tensor of this name") : shape_text(shape->shape));
        return *reader.problem([](const std::string&) { return true; });
    }
    std::size_t classes = shape->shape[1];
    logit_cache cache{whole != nullptr && whole->type == "F16" ? logit_form::float16 : logit_form::float32};
    if (whole == nullptr) {
        std::uint32_t number = 0;
        reader.array("logits.classes", std::span(&number, 1), {1});
        if (!reader.failed() && (number < classes || number >= std::uint32_t{1} << 24)) {
            reader.fail("logits.classes", sentence("at least ", classes, ", the labels of a sample, and fewer than 2^24"),
                        sentence(number));
        }
        cache = {logit_form::top_k, classes};
        classes = number;
    }
    if (!reader.failed()) {
        auto logits = teacher_logits::zeros(shape->shape[0], classes, cache);
        logits.serialize(reader, "logits");
        if (!reader.failed()) {
            return logits;
        }
    }
    return *reader.problem([](const std::string&) { return true; });
}

}  // namespace io

/// Writes the logits of a teacher, or a result of them, so that this or another program need not run it again over this data set.
/// The file is replaced as a whole or not at all. Errors: another number of samples or fewer classes than the data set has, errors
/// of the data set, a file that cannot be written, the error of a result.
template <class Logits, dataset Data>
[[nodiscard]] std::optional<error> save_teacher_logits(const Logits& logits, const Data& data, const std::string& path) {
    if constexpr (is_result<Logits>) {
        return logits ? save_teacher_logits(*logits, data, path) : std::optional<error>(logits.error());
    } else {
        static_assert(std::is_same_v<Logits, teacher_logits>,
                      "pare: save_teacher_logits() takes what teacher_logits::make() gives");
        if (auto problem = io::detail::logits_of_other_data(logits, data, path)) {
            return problem;
        }
        auto crc = io::detail::crc32_of_samples(data);
        if (!crc) {
            return crc.error();
        }
        io::state_writer writer;
        const_cast<teacher_logits&>(logits).serialize(writer, "logits");  // a writer reads
        writer.array("samples.crc32", std::span(&*crc, 1), {1});
        if (auto number = static_cast<std::uint32_t>(logits.classes()); logits.cache().form == logit_form::top_k) {
            writer.array("logits.classes", std::span(&number, 1), {1});
        }
        return io::write_file(path, writer.content());
    }
}

/// Reads what save_teacher_logits() has written of this data set, in the form in which it was kept:
///
///     const auto student = distill(net, load_teacher_logits("teacher.safetensors", data), data, soft_targets{}, adam{});
///
/// No length in the file is trusted. Errors name the file and the tensor: files that are cut or damaged, and those of
/// io::teacher_logits_in; another number of samples or fewer classes than the data set has; samples of other bits, as far as
/// samples.crc32 covers them: up to 256 from the first to the last.
template <dataset Data>
result<teacher_logits> load_teacher_logits(const std::string& path, const Data& data) {
    const auto file = io::safetensors::read(path);
    if (!file) {
        return file.error();
    }
    auto logits = io::teacher_logits_in(*file);
    if (!logits) {
        return logits;
    }
    if (auto problem = io::detail::logits_of_other_data(*logits, data, path)) {
        return *std::move(problem);
    }
    if (file->find("samples.crc32") != nullptr) {
        const auto expected = io::detail::crc32_of_samples(data);
        if (!expected) {
            return expected.error();
        }
        io::state_reader reader(*file);
        std::uint32_t found = 0;
        reader.array("samples.crc32", std::span(&found, 1), {1});
        if (!reader.failed() && found != *expected) {
            reader.fail("samples.crc32", sentence(*expected, ", that of the data set's samples"),
                        sentence(found, ": the teacher saw others, or in another order"));
        }
        if (auto problem = reader.problem([](const std::string&) { return true; })) {
            return *std::move(problem);
        }
    }
    return logits;
}

PARE_NAMESPACE_END

#endif
