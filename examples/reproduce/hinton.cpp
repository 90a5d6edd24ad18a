// Distilling the knowledge in a neural network: Hinton, Vinyals, Dean 2015, section 3. A student of 800 units that sees only
// images in their place learns from the logits of a teacher of 1200, trained with dropout on images shifted by up to two pixels;
// then another one, which is never shown a 3, learns what a 3 is.

#include <algorithm>
#include <cstdio>
#include <vector>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"

namespace reproduce {

namespace {

using namespace pare;

constexpr std::int32_t mythical = 3;

/// The samples of a data set, which must outlive it, that are not of one class.
struct without_class {
    const digits* data;
    std::vector<std::size_t> kept;

    without_class(const digits& all, std::int32_t label) : data(&all) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all.label(i) != label) {
                kept.push_back(i);
            }
        }
    }
    std::size_t size() const noexcept { return kept.size(); }
    std::size_t classes() const noexcept { return data->classes(); }
    const auto& sample_shape() const noexcept { return data->sample_shape(); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const {
        for (const std::size_t i : indices) {
            data->fetch({&kept[i], 1}, inputs, labels++);
            inputs += sample_shape().size();
        }
    }
};

/// Images moved by whole pixels; zeros come in.
template <class Data>
struct shifted {
    const Data* data;
    int down, right;

    std::size_t size() const noexcept { return data->size(); }
    std::size_t classes() const noexcept { return data->classes(); }
    const auto& sample_shape() const noexcept { return data->sample_shape(); }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* labels) const {
        const auto height = static_cast<int>(sample_shape()[0]), width = static_cast<int>(sample_shape()[1]);
        std::vector<float> image(sample_shape().size());
        for (const std::size_t i : indices) {
            data->fetch({&i, 1}, image.data(), labels++);
            for (int y = -down; y < height - down; ++y) {
                for (int x = -right; x < width - right; ++x) {
                    *inputs++ = y < 0 || x < 0 || y >= height || x >= width ? 0.0f : image[static_cast<std::size_t>(y * width + x)];
                }
            }
        }
    }
};

/// The mean of a teacher's logits over the nine shifts of an image by up to a pixel.
template <class Teacher, class Data, class Executor>
result<teacher_logits> logits_over_shifts(const Teacher& teacher, const Data& data, Executor& exec) {
    std::vector<teacher_logits> each;
    for (int place = 0; place < 9; ++place) {
        auto logits = teacher_logits::make(teacher, shifted<Data>{&data, place / 3 - 1, place % 3 - 1}, {}, exec);
        if (!logits) {
            return logits;
        }
        each.push_back(*std::move(logits));
    }
    std::vector<const teacher_logits*> all;
    for (const teacher_logits& logits : each) {
        all.push_back(&logits);
    }
    return teacher_logits::average(all);
}

struct counted_errors {
    std::size_t all = 0, on_threes = 0;
};

/// Errors when `bias` is added to the logits of threes.
counted_errors errors_with(const teacher_logits& logits, const digits& data, float bias) {
    counted_errors found;
    std::vector<float> y(logits.classes());
    for (std::size_t i = 0; i < data.size(); ++i) {
        logits.read(i, y.data());
        y[mythical] += bias;
        if (std::max_element(y.begin(), y.end()) - y.begin() != data.label(i)) {
            ++found.all;
            found.on_threes += data.label(i) == mythical ? 1u : 0u;
        }
    }
    return found;
}

}  // namespace

int hinton(const options& o) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const std::size_t wide = o.quick ? 400 : 1200, narrow = o.quick ? 200 : 800;
    const float dropped = o.quick ? 0.0f : 0.2f;
    const random_shift jitter{o.quick ? 1u : 2u};
    const auto train = [&](auto& net, const auto& data, const auto& loss, std::size_t batch, float rate, auto&&... extras) {
        const std::size_t epochs = o.quick ? 10 : 36;
        return fit(net, data, loss,
                   scheduled(adam{.learning_rate = rate}, cosine_decay{.steps = epochs * ((data.size() + batch - 1) / batch)}),
                   {.epochs = epochs, .batch_size = batch, .shuffle_seed = seed{o.seed}}, pool, extras...);
    };

    auto teacher = initialized(sequential(dense<784, dyn>(784, wide), relu(), dropout{dropped}, dense<dyn, dyn>(wide, wide), relu(),
                                          dropout{dropped}, dense<dyn, 10>(wide, 10)),
                               he_normal{}, seed{o.seed});
    if (const auto taught = train(teacher, *images, cross_entropy{}, 256, 1.5e-3f, jitter); !taught) {
        return fail(taught.error());
    }
    std::printf("%-40s %6s %6s\n", "MNIST, errors of 10,000", "here", "paper");
    const auto print = [](const char* what, std::size_t here, int paper) {
        std::printf("%-40s %6zu %6d\n", what, here, paper);
        std::fflush(stdout);  // the next one takes minutes
    };
    const std::size_t errors_teacher = count_errors(teacher, *test, pool).value();
    print("teacher", errors_teacher, 67);

    // All students begin with the same weights, and see images in the same order, without regularization.
    const auto untrained = initialized(
        sequential(dense<784, dyn>(784, narrow), relu(), dense<dyn, dyn>(narrow, narrow), relu(), dense<dyn, 10>(narrow, 10)),
        he_normal{}, seed{o.seed + 1});
    auto alone = untrained, distilled = untrained, without_threes = untrained;
    if (const auto learnt = train(alone, *images, cross_entropy{}, 128, 2.5e-3f); !learnt) {
        return fail(learnt.error());
    }
    const std::size_t errors_alone = count_errors(alone, *test, pool).value();
    print("student alone", errors_alone, 146);

    // The student is told of shifts by soft targets alone.
    const auto distill_from = [&](const auto& data, auto& student) {
        const auto learnt = and_then(logits_over_shifts(teacher, data, pool), [&](const teacher_logits& logits) {
            return and_then(distillation_loss<>::make(logits, {.temperature = 20.0f, .hard_weight = 0.0f}),
                            [&](const auto& loss) { return train(student, data, loss, 128, 2.5e-3f); });
        });
        return learnt ? std::nullopt : std::optional<error>(learnt.error());
    };
    if (const auto problem = distill_from(*images, distilled)) {
        return fail(*problem);
    }
    const std::size_t errors_distilled = count_errors(distilled, *test, pool).value();
    print("student distilled", errors_distilled, 74);

    if (const auto problem = distill_from(without_class(*images, mythical), without_threes)) {
        return fail(*problem);
    }
    // The bias of threes is too low then. The paper raises it by what is best for the test images; here the training images decide.
    const auto seen = teacher_logits::make(without_threes, *images, {}, pool),
               logits = teacher_logits::make(without_threes, *test, {}, pool);
    if (!seen || !logits) {
        return fail(seen ? logits.error() : seen.error());
    }
    float bias = 0.0f;
    for (std::size_t fewest = images->size() + 1, tenths = 0; tenths <= 100; ++tenths) {
        const float tried = static_cast<float>(tenths) / 10.0f;
        const std::size_t errors = errors_with(*seen, *images, tried).all;
        if (errors < fewest) {
            fewest = errors;
            bias = tried;
        }
    }
    const counted_errors biased = errors_with(*logits, *test, 0.0f), corrected = errors_with(*logits, *test, bias);
    print("distilled without threes", biased.all, 206);
    print("    of which on threes", biased.on_threes, 133);
    print(sentence("bias of threes raised by ", bias).c_str(), corrected.all, 109);
    print("    of which on threes", corrected.on_threes, 14);

    const nlohmann::json json = {
        {"experiment", "hinton"},
        {"seed", o.seed},
        {"quick", o.quick},
        {"errors_teacher", errors_teacher},
        {"errors_alone", errors_alone},
        {"errors_distilled", errors_distilled},
        {"without_threes", {{"errors", biased.all}, {"on_threes", biased.on_threes}}},
        {"bias_corrected", {{"bias", bias}, {"errors", corrected.all}, {"on_threes", corrected.on_threes}}}};
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    if (o.quick) {
        return missed(errors_teacher <= 130 && errors_distilled < errors_alone && corrected.on_threes <= 30,
                      "at most 130 errors of the teacher, fewer of the distilled student than alone, at most 30 on unseen threes");
    }
    return missed(errors_teacher <= 75 && errors_distilled <= 80 && 10 * errors_distilled <= 6 * errors_alone &&
                      biased.all <= 206 && corrected.all <= 109,
                  "at most 75 errors of the teacher and 80 of the distilled student, 40% fewer than alone; without threes at most "
                  "206, and 109 with their bias raised");
}

}  // namespace reproduce
