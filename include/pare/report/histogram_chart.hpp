#ifndef PARE_REPORT_HISTOGRAM_CHART_HPP
#define PARE_REPORT_HISTOGRAM_CHART_HPP

#include <pare/report/axis.hpp>
#include <pare/report/weight_histogram.hpp>

PARE_NAMESPACE_BEGIN

/// Histograms in a table: those of a row share their axis, each has a height of its own. A row has one for each column, or a null
/// pointer.
struct histogram_row {
    std::string name;
    std::vector<const weight_histogram*> cells;
};

namespace detail {

/// What of a histogram is not drawn: zeros, and what is no number, in words.
inline std::string apart_from_bins(const weight_histogram& h) {
    std::string text;
    if (h.zeros != 0) {
        text = readable(100.0 * static_cast<double>(h.zeros) / static_cast<double>(h.total())) + " % zeros";
    }
    for (const auto& [count, what] : {std::pair(h.nans, " NaN"), std::pair(h.infinities, " infinite")}) {
        if (count != 0) {
            text += (text.empty() ? "" : ", ") + with_commas(count) + what;
        }
    }
    return text;
}

/// Bars of a histogram as one outline, in a box from (left, top) that is `height` high.
inline std::string histogram_outline(const weight_histogram& h, const axis& across, double bottom, double height) {
    const auto most_at = std::max_element(h.counts.begin(), h.counts.end());
    const std::size_t most = most_at == h.counts.end() ? 0 : *most_at;
    if (most == 0) {
        return {};
    }
    const bool one = !(h.greatest > h.least);  // all weights are the same
    const double from = across.at(h.least) - (one ? 1 : 0), to = across.at(h.greatest) + (one ? 1 : 0);
    const double step = (to - from) / static_cast<double>(h.counts.size());
    std::string path = "M" + place(from) + " " + place(bottom);
    for (std::size_t i = 0; i < h.counts.size(); ++i) {
        path += "V" + place(bottom - height * static_cast<double>(h.counts[i]) / static_cast<double>(most)) + "H" +
                place(from + step * static_cast<double>(i + 1));
    }
    return "<path class=\"f1\" d=\"" + path + "V" + place(bottom) + "Z\"/>\n";
}

/// Ticks of a short axis, and numbers below as many of them as have room: each, or every second, third, ... of them.
inline std::string numbers_below(const axis& across, double left, double right, double bottom) {
    const std::vector<double>& ticks = across.ticks();
    double widest = 0;
    for (const double v : ticks) {
        widest = (std::max)(widest, text_width(readable(v)) + 4);
    }
    const double step = ticks.size() < 2 ? 1.0 : ticks[1] - ticks[0];
    const auto every = static_cast<long>(std::ceil(widest / std::abs(across.at(step) - across.at(0.0))));
    std::string svg;
    for (const double v : ticks) {
        const double x = across.at(v);
        svg += svg_line(x, bottom, x, bottom + 4, "a");
        if (std::lround(v / step) % every == 0 && x - widest / 2 >= left && x + widest / 2 <= right) {
            svg += svg_text(x, bottom + 17, readable(v), "middle", "q");
        }
    }
    return svg;
}

}  // namespace detail

inline std::string histogram_chart(std::string_view name, std::string_view title, std::string_view description,
                                   const std::vector<std::string>& columns, const std::vector<histogram_row>& rows) {
    using namespace detail;
    constexpr double cell = 150, gap = 22, height = 64, row_height = 118;
    double left = 0;
    for (const histogram_row& r : rows) {
        left = (std::max)(left, text_width(r.name) + 14);
    }
    std::string svg;
    const auto cell_left = [&](std::size_t column) { return left + (cell + gap) * static_cast<double>(column); };
    for (std::size_t c = 0; c < columns.size(); ++c) {
        svg += svg_text(cell_left(c) + cell / 2, 16, columns[c], "middle", "b");
    }
    double top = 28;
    for (const histogram_row& r : rows) {
        PARE_ASSERT(r.cells.size() == columns.size(), "%zu histograms in a row of %zu", r.cells.size(), columns.size());
        std::vector<double> ends;
        for (const weight_histogram* h : r.cells) {
            if (h != nullptr && h->in_bins() != 0) {
                ends.insert(ends.end(), {h->least, h->greatest});
            }
        }
        const double bottom = top + 18 + height;
        svg += svg_text(2, bottom - 4, r.name, "start", "b");
        for (std::size_t c = 0; c < r.cells.size(); ++c) {
            const axis across({}, ends, cell_left(c), cell_left(c) + cell);
            if (r.cells[c] == nullptr) {
                svg += svg_text(cell_left(c) + cell / 2, bottom - height / 2, "none of this name", "middle", "q");
                continue;
            }
            const weight_histogram& h = *r.cells[c];
            svg += svg_text(cell_left(c) + cell, top + 11, apart_from_bins(h), "end", h.nans + h.infinities == 0 ? "q" : "w");
            svg += histogram_outline(h, across, bottom, height) + svg_line(cell_left(c), bottom, cell_left(c) + cell, bottom, "a");
            svg += numbers_below(across, cell_left(c) - gap / 2, cell_left(c) + cell + gap / 2, bottom);
        }
        top += row_height;
    }
    return svg_chart(name, cell_left(columns.size()), top, title, description, svg);
}

PARE_NAMESPACE_END

#endif
