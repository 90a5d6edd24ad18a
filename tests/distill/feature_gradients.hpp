#ifndef PARE_TESTS_FEATURE_GRADIENTS_HPP
#define PARE_TESTS_FEATURE_GRADIENTS_HPP

#include <span>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/distill/with_features.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "small_network.hpp"

// All executors of these tests are of one type, so that there is less to compile.
inline pare::thread_pool alone(1);
inline const pare::adam optimizer{.learning_rate = 3e-3f};

/// The loss of the first step and its gradient, or the mean loss of each epoch.
struct watcher {
    std::vector<float> gradient{};
    std::vector<double> losses{};

    template <class Model>
    void on_gradient(Model&, pare::training_state& state) {
        if (state.step == 0) {
            gradient.assign(state.gradient.begin(), state.gradient.end());
        }
    }
    template <class Model>
    void on_epoch_end(Model&, pare::training_state& state) {
        losses.push_back(state.mean_loss);
    }
};

/// The gradient that fit() sees, of the student's parameters, against central differences of the loss of its first step.
template <class Student, class Teacher, class Data, class What>
void check_gradient(const Student& student, const Teacher& features, const Data& data, const What& learned, std::size_t stride) {
    const pare::fit_options options = {.epochs = 1, .batch_size = data.size(), .shuffle = false};
    const auto watched = [&](const Student& at) {
        watcher w;
        REQUIRE(pare::distill(at, features, data, learned, optimizer, options, w, alone));
        return w;
    };
    const auto found = watched(student).gradient;
    Student moved = student;
    std::size_t first = 0;
    pare::for_each_member(moved, [&](const pare::member_path& path, auto& member) {
        pare::for_each_trained(member, [&](std::span<float> v) {
            for (std::size_t i = first % stride; i < v.size(); i += stride) {
                const float before = v[i];
                v[i] = before + 0.003f;
                const double above = watched(moved).losses[0];
                v[i] = before - 0.003f;
                const double below = watched(moved).losses[0];
                v[i] = before;
                CAPTURE(path.text(), i);
                CHECK(static_cast<double>(found[first + i]) == Approx((above - below) / 0.006).epsilon(3e-3).margin(3e-4));
            }
            first += v.size();
            if (path.text() == "0.bias") {  // behind it lie the numbers of the regressor
                first += found.size() - numbers(moved).size();
            }
        });
    });
}

#endif
