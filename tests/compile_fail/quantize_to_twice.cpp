// expect: pare: quantize_to() and sensitivity_of() take a model of full float weights
#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/quantize_to.hpp>

#include "../toy_data.hpp"

const auto network =
    pare::quantize_to(pare::quantize_dynamic(pare::sequential(pare::dense<2, 4>())), quarters(10), pare::byte_budget{100});
