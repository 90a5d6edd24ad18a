#ifndef PARE_TESTS_GOLDEN_LAYER_CASE_HPP
#define PARE_TESTS_GOLDEN_LAYER_CASE_HPP

#include <set>

#include <pare/nn/prepare.hpp>

#include "golden.hpp"

/// Cases of layers.json: y = layer(x), gradients of sum(y * grad_y), parameters "p.<name>", their gradients "grad.<name>", buffers
/// afterwards "after.<name>".

inline std::vector<std::size_t> golden_shape(const nlohmann::json& c, const std::string& name) {
    return c["tensors"][name]["shape"].get<std::vector<std::size_t>>();
}

/// [batch, channels, pixels] to [batch, pixels, channels], or back with the last two exchanged.
inline std::vector<float> exchanged(const std::vector<float>& from, std::size_t batch, std::size_t rows, std::size_t columns) {
    std::vector<float> to(from.size());
    REQUIRE(from.size() == batch * rows * columns);
    for (std::size_t i = 0; i < from.size(); ++i) {
        to[(i / (rows * columns) * columns + i % columns) * rows + i / columns % rows] = from[i];
    }
    return to;
}

inline std::size_t index_in_file(std::size_t here) {
    return here;
}
inline std::size_t index_in_file(std::size_t here, const pare::file_axes& axes) {
    return axes.index_in_file(here);
}

inline std::vector<std::size_t> shape_in_file(const pare::file_axes& axes) {
    return {axes.shape.begin(), axes.shape.begin() + static_cast<std::ptrdiff_t>(axes.rank)};
}

/// Gives a layer the parameters of a case and compares everything that it computes, forward and backward, on samples of `shape`
/// with the case's x, y, grad_y and grad_x (empty where there is none).
template <class Layer, class Shape>
void check_layer(const nlohmann::json& c, Layer layer, const Shape& shape, const std::vector<float>& x, const std::vector<float>& y,
                 const std::vector<float>& dy, const std::vector<float>& expected_dx, bool same_in_inference = true) {
    using namespace pare;
    CAPTURE(c["name"].get<std::string>());
    std::set<std::string> names;
    for_each_member(layer, [&](const member_path& path, auto& member, std::same_as<file_axes> auto... axes) {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            const auto given = golden_numbers(c, "p." + path.text());
            const auto values = trainable_values(member);
            REQUIRE(given.size() == values.size());
            if constexpr (sizeof...(axes) != 0) {
                CHECK(golden_shape(c, "p." + path.text()) == shape_in_file(axes...));
            }
            for (std::size_t i = 0; i < values.size(); ++i) {
                values[i] = given[index_in_file(i, axes...)];
            }
            names.insert("p." + path.text());
        }
    });
    for (const auto& [name, value] : c["tensors"].items()) {
        CHECK((!name.starts_with("p.") || names.contains(name)));
    }

    const std::size_t batch = x.size() / shape.size();
    const auto out = layer.plan().output_shape(shape);
    REQUIRE(y.size() == batch * out.size());
    std::vector<float> found(y.size()), dx(x.size()), gradient(parameter_count(layer)), saved(saved_floats(layer, batch, shape));
    if (same_in_inference) {
        const auto ready = prepare<isa::native>(layer);
        workspace enough(ready.model().plan().scratch_bytes(batch, shape));
        serial_executor serial;
        context<isa::native, serial_executor> ctx{serial, enough.scratch()};
        ready.model().forward(ctx, batch_of(x.data(), batch, shape), batch_of(found.data(), batch, out));
        check_close(found, y, 1e-5, 1e-5);
    }
    workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    const auto xs = batch_of(x.data(), batch, shape);
    forward_training(layer, ctx, xs, batch_of(found.data(), batch, out), saved);
    check_close(found, y, 1e-5, 1e-5);
    backward(layer, ctx, xs, batch_of(static_cast<const float*>(found.data()), batch, out), batch_of(dy.data(), batch, out),
             batch_of(expected_dx.empty() ? nullptr : dx.data(), batch, shape), gradient, saved);
    if (!expected_dx.empty()) {
        check_close(dx, expected_dx, 1e-3, 1e-5);
    }
    std::size_t first = 0;
    for_each_member(layer, [&](const member_path& path, auto& member, std::same_as<file_axes> auto... axes) {
        CAPTURE(path.text());
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            const auto expected = golden_numbers(c, "grad." + path.text());
            std::vector<float> own(expected.size());
            for (std::size_t i = 0; i < own.size(); ++i) {
                own[index_in_file(i, axes...)] = gradient[first + i];
            }
            check_close(own, expected, 1e-3, 1e-5);
            first += own.size();
        } else if (c["tensors"].contains("after." + path.text())) {
            check_close(std::vector<float>(member.begin(), member.end()), golden_numbers(c, "after." + path.text()), 1e-5, 1e-6);
        }
    });
    CHECK(first == gradient.size());
}

#endif
