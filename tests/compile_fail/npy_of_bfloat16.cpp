// expect: pare: npy files hold float, double, float16 and integers of 8 to 64 bits
#include <pare/io/npy.hpp>
#include <pare/types/bfloat16.hpp>

using namespace pare;
void store(std::span<const std::size_t> shape, std::span<const bfloat16> values) {
    (void)io::write_npy("numbers.npy", shape, values);
}
