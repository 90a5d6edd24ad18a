#ifndef PARE_QUANTIZE_REPORT_HPP
#define PARE_QUANTIZE_REPORT_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include <pare/nn/fold.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/summary.hpp>
#include <pare/quantize/clipped_weights.hpp>
#include <pare/quantize/tapped_weights.hpp>
#include <pare/train/evaluate.hpp>

PARE_NAMESPACE_BEGIN

/// How far numbers b are from numbers a, as sums over both.
struct number_errors {
    double signal = 0.0;     // of a^2
    double quantized = 0.0;  // of b^2
    double both = 0.0;       // of a b
    double noise = 0.0;      // of (a - b)^2
    double largest = 0.0;    // |a - b|

    /// Signal to quantization noise, 10 log10(signal / noise); infinite where nothing differs.
    double sqnr_db() const noexcept {
        return noise > 0.0 ? 10.0 * std::log10(signal / noise) : std::bit_cast<double>(0x7ff0000000000000);  // -ffast-math knows none
    }
    /// The cosine of the angle between them; 1 for numbers that are all zero.
    double cosine() const noexcept { return signal > 0.0 && quantized > 0.0 ? both / std::sqrt(signal * quantized) : 1.0; }

    void add(std::span<const float> a, std::span<const float> b) noexcept {
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]), d = x > y ? x - y : y - x;
            signal += x * x;
            quantized += y * y;
            both += x * y;
            noise += d * d;
            largest = d > largest ? d : largest;
        }
    }
};

/// One matrix of weights in a model and in the quantized one, or all of both.
struct layer_comparison {
    std::string path;  // "0.weight"; "outputs" for the whole
    std::string before;
    std::string after;
    number_errors errors;
    double clipped_share = 0.0;          // of its inputs, beyond the range of calibration
    double clipped_weights_share = 0.0;  // of its weights, beyond what their codes reach
    std::size_t bytes_before = 0;
    std::size_t bytes_after = 0;
    double microseconds_before = 0.0;
    double microseconds_after = 0.0;
    bool timed = true;  // not where bytes from calibration are computed as floats

    bool slower() const noexcept { return timed && microseconds_after > 1.05 * microseconds_before; }
};

struct quantization_report {
    std::vector<layer_comparison> layers;
    layer_comparison whole;
    std::size_t batch = 0;
};

struct report_options {
    std::size_t batch = 1;         // samples of a run that is timed
    std::size_t repetitions = 30;  // of which the least time counts
};

namespace detail {

/// A model in two forms: with products that tell what they give, and as it runs.
template <class Isa, class Model>
class tapped_model {
    static auto made(const Model& model, std::deque<tapped_products>& products) {
        return map_weights(fold_inside(model), tap_weights<Isa>{&products});
    }
    using tapped_type = decltype(made(std::declval<const Model&>(), std::declval<std::deque<tapped_products>&>()));

public:
    explicit tapped_model(const Model& model) : tapped_(made(model, products_)), ready_(prepare<Isa>(model)) {}

    std::deque<tapped_products>& products() noexcept { return products_; }
    const auto& ready() const noexcept { return ready_; }
    tapped_products* find(const std::string& path) noexcept {
        const auto found = std::find_if(products_.begin(), products_.end(), [&](const auto& p) { return p.path == path; });
        return found == products_.end() ? nullptr : &*found;
    }
    /// Both forms; the outputs are of the one that runs.
    void run(std::span<const float> x) {
        outputs_.resize(x.size() / ready_.input_size() * ready_.output_size());
        run_tapped(x);
        reserve(ready_, space_, x);
        pare::run(ready_, x, outputs_, space_);
    }
    std::span<const float> outputs() const noexcept { return outputs_; }

    /// The least time of some runs, of products and of all.
    double time(std::span<const float> x, std::size_t repetitions) {
        outputs_.resize(x.size() / ready_.input_size() * ready_.output_size());
        reserve(ready_, space_, x);
        std::vector<double> least(products_.size(), (std::numeric_limits<double>::max)());
        tapped_products all;
        double least_of_all = (std::numeric_limits<double>::max)();
        for (tapped_products& p : products_) {
            p.keeps_outputs = false;
        }
        for (std::size_t i = 0; i < repetitions; ++i) {
            run_tapped(x);
            for (std::size_t p = 0; p < products_.size(); ++p) {
                least[p] = (std::min)(least[p], products_[p].microseconds);
            }
            all.begin_run();
            all.time([&] { pare::run(ready_, x, outputs_, space_); });
            least_of_all = (std::min)(least_of_all, all.microseconds);
        }
        for (std::size_t p = 0; p < products_.size(); ++p) {
            products_[p].microseconds = least[p];
        }
        return least_of_all;
    }

private:
    template <class Ready>
    static void reserve(const Ready& ready, workspace& space, std::span<const float> x) {
        const std::size_t bytes = ready.workspace_bytes(x.size() / ready.input_size());
        if (space.size() < bytes) {
            space = workspace(bytes);
        }
    }
    void run_tapped(std::span<const float> x) {
        for (tapped_products& p : products_) {
            p.begin_run();
        }
        reserve(tapped_, tapped_space_, x);
        pare::run(tapped_, x, outputs_, tapped_space_);
    }

    std::deque<tapped_products> products_;
    prepared<Isa, tapped_type> tapped_;
    std::remove_cvref_t<decltype(prepare<Isa>(std::declval<const Model&>()))> ready_;
    workspace space_{0}, tapped_space_{0};
    std::vector<float> outputs_;
};

template <class Isa, class Before, class After, class Data>
result<quantization_report> compare(const Before& before, const After& after, const Data& data, const report_options& options) {
    if (data.size() == 0) {
        return error{error_code::invalid_data, "compare_models: expected at least one sample, found none"};
    }
    tapped_model<Isa, Before> a(before);
    tapped_model<Isa, After> b(after);
    if (a.ready().input_size() != b.ready().input_size() || a.ready().output_size() != b.ready().output_size()) {
        return error{error_code::invalid_argument, sentence("compare_models: expected models of as many inputs and outputs, found ",
                                                            a.ready().input_size(), " and ", a.ready().output_size(), ", and ",
                                                            b.ready().input_size(), " and ", b.ready().output_size())};
    }
    if (auto problem = shape_problem("compare_models", data, a.ready().model().plan().input_shape(), a.ready().output_size())) {
        return *std::move(problem);
    }
    quantization_report report;
    for (const tapped_products& p : a.products()) {
        if (b.find(p.path) != nullptr) {
            report.layers.emplace_back().path = p.path;
        }
    }
    constexpr std::size_t most = 64;
    batch_buffer<Data> buffer(data, (std::max)(most, options.batch));
    std::vector<std::size_t> indices;
    const auto fetch = [&](std::size_t first, std::size_t count) {
        indices.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            indices[i] = (first + i) % data.size();
        }
        return buffer.fetch(data, indices);
    };
    const auto inputs = [&] { return std::span<const float>(buffer.inputs(), indices.size() * a.ready().input_size()); };
    for (std::size_t first = 0; first < data.size(); first += most) {
        if (auto problem = fetch(first, (std::min)(most, data.size() - first))) {
            return *std::move(problem);
        }
        a.run(inputs());
        b.run(inputs());
        for (layer_comparison& l : report.layers) {
            l.errors.add(a.find(l.path)->outputs, b.find(l.path)->outputs);
        }
        report.whole.errors.add(a.outputs(), b.outputs());
    }
    if (auto problem = fetch(0, options.batch)) {
        return *std::move(problem);
    }
    report.batch = options.batch;
    report.whole.path = "outputs";
    report.whole.bytes_before = summarize(before).bytes;
    report.whole.bytes_after = summarize(after).bytes;
    report.whole.microseconds_before = a.time(inputs(), options.repetitions);
    report.whole.microseconds_after = b.time(inputs(), options.repetitions);
    for (layer_comparison& l : report.layers) {
        const tapped_products &p = *a.find(l.path), &q = *b.find(l.path);
        l.before = p.weights;
        l.after = q.weights;
        l.bytes_before = p.bytes;
        l.bytes_after = q.bytes;
        l.microseconds_before = p.microseconds;
        l.microseconds_after = q.microseconds;
        l.timed = q.inputs == 0 && p.inputs == 0;
        l.clipped_share = q.inputs == 0 ? 0.0 : static_cast<double>(q.clipped) / static_cast<double>(q.inputs);
    }
    for (const auto& [path, share] : clipped_shares(fold_inside(before), fold_inside(after))) {
        for (layer_comparison& l : report.layers) {
            l.clipped_weights_share = l.path == path ? share : l.clipped_weights_share;
        }
    }
    return report;
}

}  // namespace detail

/// What quantization did to a model, layer by layer, on the samples of a data set: how far the products of each matrix of weights
/// (with their bias) are from those before, in the quantized network, whose earlier layers have errors too; how many of their
/// inputs lie beyond what calibration has seen, and of their weights beyond what codes reach; bytes of weights, and the time of products and of the whole, on one thread.
/// Layers are those whose weights have the same name in both models; batch norms are folded first. Takes models or results of
/// them; those in training are frozen. Layers of static networks are computed as the floats that their bytes stand for, and not
/// timed one by one; outputs and the time of the whole are those of prepare(). Errors: no sample, models that take or give other
/// numbers, those of the data.
template <class Isa = isa::native, class Before, class After, dataset Data>
result<quantization_report> compare_models(const Before& before, const After& after, const Data& data,
                                           const report_options& options = {}) {
    return and_then(freeze(before), [&](const auto& a) {
        return and_then(freeze(after), [&](const auto& b) { return detail::compare<Isa>(a, b, data, options); });
    });
}

namespace detail {

/// x with so many digits.
inline std::string digits(double x, int count) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", count, x);
    return text;
}

}  // namespace detail

/// A line per layer and one for the whole: what got slower is said.
inline std::string describe(const quantization_report& report) {
    std::string text;
    const auto line = [&](const layer_comparison& l, const std::string& what) {
        text += sentence(l.path, what, ": ");
        text += l.errors.noise > 0.0
                    ? sentence("SQNR ", detail::digits(l.errors.sqnr_db(), 3), " dB, cosine ", detail::digits(l.errors.cosine(), 6),
                               ", largest error ", detail::digits(l.errors.largest, 3))
                    : std::string("exact");
        if (l.clipped_share > 0.0) {
            text += sentence(", ", detail::digits(100.0 * l.clipped_share, 3), " % of inputs clipped");
        }
        if (l.clipped_weights_share > 0.0) {
            text += sentence(", ", detail::digits(100.0 * l.clipped_weights_share, 3), " % of weights clipped");
        }
        text += sentence(", ", l.bytes_before, " -> ", l.bytes_after, " bytes");
        if (l.timed) {
            text += sentence(", ", detail::digits(l.microseconds_before, 3), " -> ", detail::digits(l.microseconds_after, 3), " us",
                             l.slower() ? ": slower" : "");
        }
        text += "\n";
    };
    for (const layer_comparison& l : report.layers) {
        line(l, sentence(", ", l.before, " -> ", l.after));
    }
    line(report.whole, sentence(", batch ", report.batch));
    return text;
}

PARE_NAMESPACE_END

#endif
