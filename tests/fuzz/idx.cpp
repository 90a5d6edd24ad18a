// Any bytes as an IDX file, and as images and labels, of which the first byte says how long the images are.

#include <cstdlib>

#include <pare/io/idx.hpp>

using namespace pare;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const io::bytes content(data, data + size);
    const auto array = io::parse_idx(content, "fuzz");
    if (array && array->values.size() > content.size()) {
        std::abort();
    }
    const std::size_t images = size == 0 ? 0 : (std::min)(std::size_t{data[0]} + 1, size);
    const auto loaded = io::load_idx("images", "labels", [&](const std::string& path) -> result<io::bytes> {
        return path == "images" ? io::bytes(data + (size == 0 ? 0 : 1), data + images) : io::bytes(data + images, data + size);
    });
    if (loaded && loaded->size() * loaded->sample_shape().size() > size) {
        std::abort();
    }
    return 0;
}
