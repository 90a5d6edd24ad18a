// Takes a network that PyTorch trained into a program: load its state dict, quantize it, run it, save it.
//
//     load_and_quantize [lenet_300_100.safetensors]
//
// In Python, for torch.nn.Sequential(Linear(784, 300), ReLU(), Linear(300, 100), ReLU(), Linear(100, 10)):
//
//     safetensors.torch.save_file(model.state_dict(), "lenet_300_100.safetensors")

#include <cstdio>

#include <pare/io/model.hpp>
#include <pare/pare.hpp>

using namespace pare;

int main(int argc, char** argv) {
    auto network = sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>());
    if (argc > 1) {
        if (const auto problem = load(network, argv[1])) {  // says which tensor, what was expected and what was found
            std::fprintf(stderr, "%s\n", problem->message.c_str());
            return 1;
        }
    } else {
        initialize(network, pytorch_default{}, seed{1});  // no file: a network that knows nothing
    }

    const auto small = quantize_dynamic(network);                 // torch.quantization.quantize_dynamic(model, dtype=torch.qint8)
    if (const auto problem = save(small, "small.safetensors")) {  // an error of quantize_dynamic comes out here
        std::fprintf(stderr, "%s\n", problem->message.c_str());
        return 1;
    }

    // Another program: a model of the same type takes the file as it is.
    auto shipped = *quantize_dynamic(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()));
    if (const auto problem = load(shipped, "small.safetensors")) {
        std::fprintf(stderr, "%s\n", problem->message.c_str());
        return 1;
    }
    const auto ready = prepare<isa::native>(shipped);
    auto space = workspace_for(ready, 1);
    float pixels[784] = {}, logits[10];
    run(ready, pixels, logits, space);
    std::printf("%s", describe(ready).c_str());
    for (const float logit : logits) {
        std::printf("%.3f ", static_cast<double>(logit));
    }
    std::printf("\n");
}
