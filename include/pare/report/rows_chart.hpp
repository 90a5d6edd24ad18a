#ifndef PARE_REPORT_ROWS_CHART_HPP
#define PARE_REPORT_ROWS_CHART_HPP

#include <pare/report/axis.hpp>

PARE_NAMESPACE_BEGIN

/// One row of numbers on an axis.
struct chart_row {
    std::string group;  // stands above the first row of it; empty for none
    std::string name;
    std::vector<double> values;  // one for each of the kinds; those that are not positive are not drawn
    std::string says;            // behind the axis
};

/// Rows of signs that share an axis, joined by a line: what was and what became of it, or the parts of a whole.
/// `kinds` names the signs: hollow, filled, diamond, square.
struct rows_panel {
    axis_kind across;
    std::vector<std::string> kinds;
    std::vector<chart_sign> signs;
    std::vector<chart_row> rows;
};

inline std::string rows_chart(std::string_view name, std::string_view title, std::string_view description,
                              const rows_panel& panel) {
    using namespace detail;
    PARE_ASSERT(panel.kinds.size() == panel.signs.size(), "%zu kinds of numbers, %zu signs", panel.kinds.size(),
                panel.signs.size());
    double names = 0, says = 0;
    std::vector<double> all;
    for (const chart_row& r : panel.rows) {
        PARE_ASSERT(r.values.size() == panel.kinds.size(), "%zu numbers in a row of %zu", r.values.size(), panel.kinds.size());
        names = (std::max)({names, text_width(r.name) + 14, text_width(r.group)});
        says = (std::max)(says, text_width(r.says));
        all.insert(all.end(), r.values.begin(), r.values.end());
    }
    constexpr double plot_width = 440, top = 40, row_height = 22;
    const double left = names + 14, right = left + plot_width, width = right + 14 + says + 4;
    const axis across(panel.across, all, left, right);

    std::string svg, rows;
    double y = top;
    for (std::size_t i = 0; i < panel.rows.size(); ++i) {
        const chart_row& r = panel.rows[i];
        if (!r.group.empty() && (i == 0 || panel.rows[i - 1].group != r.group)) {
            rows += svg_text(2, y + 16, r.group, "start", "b");
            y += row_height;
        }
        rows += svg_text(r.group.empty() ? 2 : 14, y + 15, r.name) + svg_text(right + 14, y + 15, r.says, "start", "q");
        double from = right, to = left;
        std::string drawn;
        for (std::size_t k = 0; k < r.values.size(); ++k) {
            if (across.holds(r.values[k])) {
                const double x = across.at(r.values[k]);
                from = (std::min)(from, x);
                to = (std::max)(to, x);
                drawn +=
                    svg_sign(panel.signs[k], x, y + 11, r.name + ", " + panel.kinds[k] + ": " + panel.across.tick(r.values[k]));
            }
        }
        rows += (from < to ? svg_line(from, y + 11, to, y + 11, "s") : std::string()) + drawn;
        y += row_height;
    }
    for (const double v : across.ticks()) {
        svg +=
            svg_line(across.at(v), top, across.at(v), y, "g") + svg_text(across.at(v), y + 17, panel.across.tick(v), "middle", "q");
    }
    svg += svg_line(left, y, right, y, "a") + rows + svg_text((left + right) / 2, y + 38, panel.across.title, "middle");
    double at = left;
    for (std::size_t k = 0; k < panel.kinds.size(); ++k) {
        svg += svg_sign(panel.signs[k], at + 6, 16, panel.kinds[k]) + svg_text(at + 18, 20, panel.kinds[k]);
        at += 18 + text_width(panel.kinds[k]) + 24;
    }
    return svg_chart(name, (std::max)(width, at), y + 48, title, description, svg);
}

PARE_NAMESPACE_END

#endif
