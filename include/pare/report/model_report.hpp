#ifndef PARE_REPORT_MODEL_REPORT_HPP
#define PARE_REPORT_MODEL_REPORT_HPP

#include <optional>

#include <pare/pipeline/pareto.hpp>
#include <pare/report/energy.hpp>
#include <pare/report/histogram_chart.hpp>
#include <pare/report/page.hpp>
#include <pare/report/rows_chart.hpp>
#include <pare/report/scatter.hpp>

PARE_NAMESPACE_BEGIN

/// What is known of one of several models for the same task.
struct reported_model {
    std::string name;
    std::string made_from;  // the name of the model whose layers it has in fewer bytes; empty where there is none
    std::size_t errors = 0;
    double microseconds = 0.0;  // of a run of one sample
    model_costs costs;
    std::optional<double> measured_uj;  // of a run of one sample, where the machine has counters (io/energy_counters.hpp)
};

struct model_report {
    std::string title;
    std::string text;         // of which data and machine the numbers are
    std::size_t samples = 0;  // on which errors were counted
    std::string energy_note;  // why energy was not measured, or how
    std::vector<reported_model> models;

    const reported_model* find(const std::string& name) const noexcept {
        const auto found = std::find_if(models.begin(), models.end(), [&](const reported_model& m) { return m.name == name; });
        return found == models.end() ? nullptr : &*found;
    }
};

namespace detail {

inline std::string uj_text(double uj) {
    return with_prefix(1e-6 * uj, "J");
}
inline std::string us_text(double us) {
    return with_prefix(1e-6 * us, "s");
}
inline std::string bytes_tick(double bytes) {
    return bytes_text(bytes);
}
inline std::string percent(double part, double whole) {
    return whole > 0.0 ? readable(100.0 * part / whole) + " %" : "";
}

inline scatter_panel panel_of(std::string title, axis_kind across, axis_kind up, std::vector<scatter_point> points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
        points[i].marked = is_on_front(points, i);
    }
    return {std::move(title), std::move(across), std::move(up), std::move(points)};
}
inline axis_kind bytes_axis(const char* title) {
    return {title, true, bytes_tick};
}
inline axis_kind errors_axis(std::size_t samples) {
    return {"errors of " + with_commas(samples), false, readable, 1.0};
}

inline report_section size_errors_latency(const model_report& report) {
    std::vector<scatter_point> by_bytes, by_time;
    report_table table{"Each model on the test data. Speed-up: over the model that it was made from.",
                       {"model", "errors", "error rate", "parameters", "not zero", "bytes", "latency, batch 1", "speed-up"},
                       {}};
    for (const reported_model& m : report.models) {
        const double errors = static_cast<double>(m.errors);
        by_bytes.push_back({m.name, static_cast<double>(m.costs.size.bytes), errors});
        by_time.push_back({m.name, m.microseconds, errors});
        const reported_model* const before = report.find(m.made_from);
        table.rows.push_back({m.name, with_commas(m.errors), percent(errors, static_cast<double>(report.samples)),
                              with_commas(m.costs.size.parameters), with_commas(m.costs.size.nonzero),
                              with_commas(m.costs.size.bytes), us_text(m.microseconds),
                              before == nullptr ? "" : readable(before->microseconds / m.microseconds) + "x"});
    }
    std::vector<scatter_panel> panels;
    panels.push_back(
        panel_of("size and errors", bytes_axis("bytes of the model, logarithmic"), errors_axis(report.samples), by_bytes));
    panels.push_back(panel_of("latency and errors", {"time of a run at batch 1, logarithmic", true, us_text},
                              errors_axis(report.samples), by_time));
    return {
        "Size, errors, latency",
        "Further left is smaller or faster, further down is more often right. Filled points are those that no other one beats in "
        "both; the dashed line is what can be had.",
        scatter_chart("size-errors-latency", "Size, errors and latency of each model",
                      "Two scatter plots with a point for each model: bytes against errors, and latency against errors. The table "
                      "below has the same numbers.",
                      panels),
        std::move(table)};
}

inline report_section bytes_of_layers(const model_report& report) {
    rows_panel panel{
        bytes_axis("bytes of the weights, logarithmic"), {"before", "after"}, {chart_sign::hollow, chart_sign::filled}, {}};
    report_table table{"Bytes of each matrix of weights, with scales and indices.",
                       {"model", "layer", "shape", "stored as", "before", "after", "of before"},
                       {}};
    std::vector<std::string> paths;
    for (const reported_model& m : report.models) {
        for (const layer_cost& l : m.costs.layers) {
            if (report.find(m.made_from) != nullptr && std::find(paths.begin(), paths.end(), l.path) == paths.end()) {
                paths.push_back(l.path);
            }
        }
    }
    for (const std::string& path : paths) {
        for (const reported_model& m : report.models) {
            const reported_model* const from = report.find(m.made_from);
            for (const layer_cost& l : m.costs.layers) {
                if (from == nullptr || l.path != path) {
                    continue;
                }
                double before = 0.0;  // where there was no layer of this name
                for (const layer_cost& b : from->costs.layers) {
                    before = b.path == path ? static_cast<double>(b.bytes) : before;
                }
                const double after = static_cast<double>(l.bytes);
                const std::string shape = sentence(l.rows, " x ", l.columns);
                panel.rows.push_back({path,
                                      m.name,
                                      {before, after},
                                      bytes_text(before) + " \u2192 " + bytes_text(after) + ", " + percent(after, before)});
                table.rows.push_back({m.name, path, shape, l.storage, with_commas(static_cast<std::size_t>(before)),
                                      with_commas(l.bytes), percent(after, before)});
            }
        }
    }
    return {"Bytes of each layer, before and after",
            "What the weights of each layer take in the model that another one was made from, and in that one.",
            panel.rows.empty()
                ? std::string()
                : rows_chart("layer-bytes", "Bytes of each layer before and after",
                             "A row for each layer of each smaller model, with its bytes before and after on a logarithmic "
                             "axis. The table below has the same numbers.",
                             panel),
            std::move(table)};
}

inline report_section weights_of_layers(const model_report& report) {
    std::vector<std::string> names;
    std::vector<histogram_row> rows;
    report_table table{"The weights of each layer, as the numbers that they stand for.",
                       {"model", "layer", "weights", "zeros", "NaN", "infinite", "least", "greatest", "mean", "deviation"},
                       {}};
    for (std::size_t i = 0; i < report.models.size(); ++i) {
        const reported_model& m = report.models[i];
        names.push_back(m.name);
        for (const layer_cost& l : m.costs.layers) {
            auto row = std::find_if(rows.begin(), rows.end(), [&](const histogram_row& r) { return r.name == l.path; });
            if (row == rows.end()) {
                row = rows.insert(rows.end(), {l.path, std::vector<const weight_histogram*>(report.models.size())});
            }
            const weight_histogram& h = l.weights;
            row->cells[i] = &h;
            table.rows.push_back({m.name, l.path, with_commas(h.total()), with_commas(h.zeros), with_commas(h.nans),
                                  with_commas(h.infinities), readable(h.least), readable(h.greatest), readable(h.mean()),
                                  readable(h.deviation())});
        }
    }
    return {"Weights",
            "How often weights have which size, for each layer of each model. Bars are as high as the fullest bin lets them; zeros "
            "are not "
            "drawn but counted above, and so is what is no number.",
            rows.empty()
                ? std::string()
                : histogram_chart("weights", "Histograms of weights",
                                  "A histogram for each layer and model; the layers of a row share their axis. The table below has "
                                  "their number, ends, means and deviations.",
                                  names, rows),
            std::move(table)};
}

inline report_section energy_of_models(const model_report& report) {
    const operation_energies of;
    const bool measured =
        std::any_of(report.models.begin(), report.models.end(), [](const reported_model& m) { return m.measured_uj.has_value(); });
    rows_panel panel;
    panel.across = {"energy of a run at batch 1, logarithmic", true, uj_text};
    panel.kinds = {"arithmetic, estimated", "memory, estimated"};
    panel.signs = {chart_sign::diamond, chart_sign::square};
    report_table table{
        "Energy of a run of one sample. Estimates are not measured.",
        {"model", "multiplications", "of bytes", "weights are in", "arithmetic", "weights", "activations", "estimated"},
        {}};
    if (measured) {
        panel.kinds.push_back("measured");
        panel.signs.push_back(chart_sign::filled);
        table.header.push_back("measured");
    }
    for (const reported_model& m : report.models) {
        const energy_estimate e = estimate_energy(m.costs, of);
        const auto uj = [](double pj) { return uj_text(1e-6 * pj); };
        std::size_t of_bytes = 0;
        for (const layer_cost& l : m.costs.layers) {
            of_bytes += l.of_bytes ? l.multiplications() : 0;
        }
        chart_row row{
            "", m.name, {1e-6 * e.arithmetic_pj, 1e-6 * (e.weights_pj + e.activations_pj)}, "estimate " + uj(e.total_pj())};
        table.rows.push_back({m.name, with_commas(m.costs.multiplications()), with_commas(of_bytes), e.memory, uj(e.arithmetic_pj),
                              uj(e.weights_pj), uj(e.activations_pj), uj(e.total_pj())});
        if (measured) {
            row.values.push_back(m.measured_uj.value_or(0.0));
            table.rows.back().push_back(m.measured_uj ? uj_text(*m.measured_uj) : "");
            row.says += m.measured_uj ? ", measured " + uj_text(*m.measured_uj) : std::string();
        }
        panel.rows.push_back(std::move(row));
    }
    const std::string text =
        sentence(report.energy_note, report.energy_note.empty() ? "" : " ",
                 "The estimate counts operations and bytes of products, in silicon of 45 nm at 0.9 V (Horowitz, ISSCC 2014, figure "
                 "1.1.9): a float "
                 "multiplication ",
                 of.float_multiplication, " pJ and addition ", of.float_addition, " pJ, a multiplication of bytes ",
                 of.byte_multiplication, " pJ and an addition of 32-bit integers ", of.int32_addition,
                 " pJ; 64 bits from a cache of 32 KB ", of.cache_32_kb, " pJ, of 1 MB ", of.cache_1_mb, " pJ, from DRAM ", of.dram,
                 " pJ. Weights are read once, from the smallest of these memories that holds the model, activations from 32 KB. It "
                 "is for comparing "
                 "models: a CPU also fetches and decodes instructions, and takes more.");
    return {measured ? "Energy, measured and estimated" : "Energy, an estimate", text,
            panel.rows.empty()
                ? std::string()
                : rows_chart("energy", measured ? "Energy of each model, measured and estimated" : "Estimated energy of each model",
                             "A row for each model with the energy of its arithmetic and of its memory on a logarithmic axis. "
                             "The table below has the same numbers.",
                             panel),
            std::move(table)};
}

}  // namespace detail

/// What a search over models saw, as compress_to() gives it (`seen`): each point by its bytes and errors (or loss, where there are
/// no labels), the front filled.
inline report_section section_of(const std::vector<pareto_point>& points) {
    using namespace detail;
    const bool labels = std::all_of(points.begin(), points.end(), [](const pareto_point& p) { return p.loss == 0.0; });
    const std::size_t samples = points.empty() ? 0 : points.front().samples;
    const std::vector<pareto_point> front = pareto_front(points);
    scatter_panel panel{"what the search saw",
                        bytes_axis("bytes of the file, logarithmic"),
                        labels ? errors_axis(samples) : axis_kind{"mean squared difference"},
                        {}};
    report_table table{"Every model that the search made.",
                       {"stages", "bytes", labels ? "errors" : "loss", "latency", "within the budget", "on the front"},
                       {}};
    for (const pareto_point& p : points) {
        const bool on_front = std::find(front.begin(), front.end(), p) != front.end();
        panel.points.push_back(
            {on_front ? p.stages : "", static_cast<double>(p.bytes), labels ? static_cast<double>(p.errors) : p.loss, on_front});
        table.rows.push_back({p.stages, with_commas(p.bytes), labels ? with_commas(p.errors) : readable(p.loss),
                              p.latency > 0.0 ? readable(p.latency) : "", p.within_budget ? "yes" : "no", on_front ? "yes" : "no"});
    }
    return {"What the search saw",
            "Each point is a model; filled ones are on the Pareto front: none is better in one of bytes, errors and latency and as "
            "good in "
            "the others.",
            points.empty() ? std::string()
                           : scatter_chart("search", "Bytes and errors of every model of a search",
                                           "A scatter plot of bytes and errors; the table below has the same numbers.", {panel}),
            std::move(table)};
}

/// The report as a page of sections: size, errors and latency; bytes of each layer; weights; energy. Add your own, then to_html().
inline report_page page_of(const model_report& report) {
    return {report.title,
            report.text,
            {detail::size_errors_latency(report), detail::bytes_of_layers(report), detail::weights_of_layers(report),
             detail::energy_of_models(report)}};
}
inline std::string to_html(const model_report& report) {
    return to_html(page_of(report));
}

PARE_NAMESPACE_END

#endif
