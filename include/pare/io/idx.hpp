#ifndef PARE_IO_IDX_HPP
#define PARE_IO_IDX_HPP

#include <cstdint>

#include <pare/io/file.hpp>
#include <pare/train/dataset.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// An IDX file of unsigned bytes, the format of the MNIST database: 0, 0, type 8, the number of dimensions, each dimension as four
/// bytes, most significant first, and the values.
struct idx_array {
    std::vector<std::size_t> shape;
    bytes values;
};

/// Reads IDX out of bytes; `name` is what errors call them. Allocates no more than there is to read.
/// Errors: another format or type, a size that is not the product of the dimensions.
inline result<idx_array> parse_idx(const bytes& content, const std::string& name) {
    const auto malformed = [&](auto... parts) { return error{error_code::malformed, sentence(name, ": ", parts...)}; };
    if (content.size() < 4 || content[0] != 0 || content[1] != 0) {
        std::string found = content.empty() ? "an empty file" : "bytes";
        for (std::size_t i = 0; i < 4 && i < content.size(); ++i) {
            found += sentence(" ", static_cast<int>(content[i]));
        }
        return malformed("expected an IDX file, which begins with two zero bytes, a type and a number of dimensions; found ",
                         found);
    }
    if (content[2] != 8) {
        return malformed("expected values of type 8 (unsigned byte), found type ", static_cast<int>(content[2]));
    }
    const std::size_t rank = content[3];
    const std::size_t header = 4 + 4 * rank;
    if (rank == 0 || content.size() < header) {
        return malformed("expected at least one dimension, and four bytes for each of them; found ", rank, " dimensions in ",
                         content.size(), " bytes");
    }
    idx_array array;
    const std::size_t available = content.size() - header;
    std::size_t product = 1;
    for (std::size_t d = 0; d < rank; ++d) {
        const unsigned char* const p = content.data() + 4 + 4 * d;
        const std::size_t extent = std::size_t{p[0]} << 24 | std::size_t{p[1]} << 16 | std::size_t{p[2]} << 8 | p[3];
        array.shape.push_back(extent);
        if (extent != 0 && product > available / extent) {
            return malformed("expected at least ", product, " * ", extent, " values, as dimension ", d, " says; found ", available);
        }
        product *= extent;
    }
    if (product != available) {
        return malformed("expected ", product, " values, the product of the dimensions; found ", available);
    }
    array.values.assign(content.begin() + static_cast<std::ptrdiff_t>(header), content.end());
    return array;
}

/// Images with labels out of two IDX files; `read` turns a path into bytes: read_file, or read_gzip_file of io/gzip.hpp.
/// Errors: those of reading, files that are not images and labels of the same number, none at all, labels above 9.
template <class Read>
result<labeled_data<std::uint8_t, dyn, dyn>> load_idx(const std::string& image_path, const std::string& label_path, Read&& read) {
    const auto load = [&](const std::string& path, std::size_t rank) -> result<idx_array> {
        auto content = read(path);
        if (!content) {
            return content.error();
        }
        auto array = parse_idx(*content, path);
        if (array && array->shape.size() != rank) {
            return error{error_code::malformed, sentence(path, ": expected ", rank, " dimensions, found ", array->shape.size())};
        }
        return array;
    };
    auto images = load(image_path, 3);
    if (!images) {
        return images.error();
    }
    auto labels = load(label_path, 1);
    if (!labels) {
        return labels.error();
    }
    if (images->shape[0] != labels->shape[0]) {
        return error{error_code::malformed, sentence(label_path, ": expected ", images->shape[0], " labels, one for each image of ",
                                                     image_path, "; found ", labels->shape[0])};
    }
    aligned_array<std::uint8_t> pixels(images->values.size());
    std::copy(images->values.begin(), images->values.end(), pixels.begin());
    return labeled_data<std::uint8_t, dyn, dyn>::make(label_path, extents<dyn, dyn>(images->shape[1], images->shape[2]), 10,
                                                      std::move(pixels),
                                                      std::vector<std::int32_t>(labels->values.begin(), labels->values.end()));
}

/// One part of MNIST, "train" or "t10k", out of a directory: the files as their authors name them, or with .gz behind the name.
template <class Read>
result<labeled_data<std::uint8_t, dyn, dyn>> load_mnist(const std::string& directory, const std::string& part, Read&& read) {
    const auto path = [&](const char* kind) {
        const std::string plain = directory + "/" + part + "-" + kind + "-ubyte";
        return is_missing(plain) && !is_missing(plain + ".gz") ? plain + ".gz" : plain;
    };
    return load_idx(path("images-idx3"), path("labels-idx1"), read);
}

}  // namespace io

PARE_NAMESPACE_END

#endif
