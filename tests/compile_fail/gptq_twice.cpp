// expect: pare: calibration takes a model of float weights
#include <pare/nn.hpp>
#include <pare/quantize/gptq.hpp>

struct samples {
    static std::size_t size() { return 4; }
    static std::size_t targets() { return 3; }
    static pare::extents<4> sample_shape() { return {}; }
    static void fetch(std::span<const std::size_t>, float*, float*) {}
};

const auto network = pare::gptq<pare::qint4<16>>(pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>())), samples{});
