// expect: pare: save() takes a model; a prepared one cannot be saved: save what it was made from
#include <pare/io/model.hpp>
#include <pare/nn.hpp>

using namespace pare;
void store() {
    (void)save(prepare<isa::native>(sequential(dense<4, 3>())), "model.safetensors");
}
