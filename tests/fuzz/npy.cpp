// Any bytes as an npy file.

#include <cstdlib>

#include <pare/io/npy.hpp>

using namespace pare;

namespace {

template <class T>
void parse(const io::bytes& content) {
    const auto array = io::parse_npy<T>(content, "fuzz");
    if (array && array->values.size() * sizeof(T) > content.size()) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const io::bytes content(data, data + size);
    parse<float>(content);
    parse<std::uint8_t>(content);
    return 0;
}
