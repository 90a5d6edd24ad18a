// expect: pare: quantize_static() takes a model with float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

int main() {
    using namespace pare;
    quantize_static(quantize_static(sequential(dense<4, 3>()), std::vector<float>(4)), std::vector<float>(4));
}
