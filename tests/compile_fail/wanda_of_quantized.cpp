// expect: pare: calibration takes a model of float weights
#include <pare/nn.hpp>
#include <pare/prune/wanda.hpp>
#include <pare/quantize/dynamic.hpp>

struct samples {
    static std::size_t size() { return 4; }
    static std::size_t targets() { return 3; }
    static pare::extents<4> sample_shape() { return {}; }
    static void fetch(std::span<const std::size_t>, float*, float*) {}
};

const auto network =
    pare::wanda(pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>())), samples{}, pare::unstructured{}, 0.5);
