// LeNet-5 on MNIST: train_digits <directory of MNIST> [epochs] [threads] [most errors]. Says how many of the 10,000 test images
// come out wrong; with the last number, the exit code is 2 where that is more.

#include <cstdio>
#include <cstdlib>

#include <pare/core/thread_pool.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/pare.hpp>
using namespace pare;

int main(int count, char** arguments) {
    const std::string directory = count > 1 ? arguments[1] : ".";
    const std::size_t epochs = count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 8;
    thread_pool pool(count > 3 ? std::strtoul(arguments[3], nullptr, 10) : 2);
    const std::size_t most_errors = count > 4 ? std::strtoul(arguments[4], nullptr, 10) : static_cast<std::size_t>(-1);
    const auto load = [&](const char* part) {
        return io::load_mnist(directory, part, [](const std::string& path) { return io::read_gzip_file(path); });
    };
    const auto train = load("train"), test = load("t10k");
    if (!train || !test) {
        std::fprintf(stderr, "%s\n", (train ? test.error() : train.error()).message.c_str());
        return 1;
    }
    auto net = initialized(sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), relu(), max_pool2d<2>(), conv2d<20, 50, 5>(), relu(),
                                      max_pool2d<2>(), flatten(), dense<800, 500>(), relu(), dropout{0.5f}, dense<500, 10>()),
                           he_normal{}, seed{1});
    const std::size_t steps = epochs * ((train->size() + 63) / 64);
    const auto report = fit(net, *train, cross_entropy{}, scheduled(adam{.learning_rate = 1e-3f}, cosine_decay{.steps = steps}),
                            {.epochs = epochs, .batch_size = 64}, validation(*test, pool), progress_bar("LeNet-5"), pool);
    if (!report) {
        std::fprintf(stderr, "%s\n", report.error().message.c_str());
        return 1;
    }
    const std::size_t errors = count_errors(net, *test, pool).value();
    std::printf("loss %.4f, %zu of %zu test images wrong\n", report->mean_loss, errors, test->size());
    return errors > most_errors ? 2 : 0;
}
