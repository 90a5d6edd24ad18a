// Any bytes as a gzip'd IDX file.

#include <cstdlib>

#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>

using namespace pare;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    constexpr std::size_t most = std::size_t{1} << 16;
    const auto content = io::inflate_gzip(io::bytes(data, data + size), "fuzz", most);
    if (content) {
        if (content->size() > most) {
            std::abort();
        }
        (void)io::parse_idx(*content, "fuzz");
    }
    return 0;
}
