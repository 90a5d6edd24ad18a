// Every layer of layers.json is that of PyTorch: outputs, gradients, buffers.

#include "golden.hpp"

TEST_CASE("layers are those of PyTorch, forward and backward") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("layers.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        if (check_image_case(c) || check_sequence_case(c)) {
            ++seen;
        } else {
            FAIL_CHECK("no layer takes this case");
        }
    }
    CHECK(seen > 0);
}
