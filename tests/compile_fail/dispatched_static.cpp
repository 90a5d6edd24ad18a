// expect: pare: isa::dispatch has no static networks
#include <pare/nn.hpp>

int main() {
    using namespace pare;
    prepare<isa::dispatch>(sequential(dense<4, 3, weight_matrix<qint8, full>, static_range>()));
}
