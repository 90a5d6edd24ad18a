#ifndef PARE_REPORT_SCATTER_HPP
#define PARE_REPORT_SCATTER_HPP

#include <utility>

#include <pare/report/axis.hpp>

PARE_NAMESPACE_BEGIN

struct scatter_point {
    std::string name;
    double x = 0.0;
    double y = 0.0;
    bool marked = false;  // a filled sign instead of a hollow one
};

/// Points over two axes. Those that are marked are joined by a dashed line of steps: for a Pareto front, what can be had.
struct scatter_panel {
    std::string title;
    axis_kind across;
    axis_kind up;
    std::vector<scatter_point> points;
};

/// Whether no point of a panel is better than point i in one number and not worse in the other; less is better.
inline bool is_on_front(const std::vector<scatter_point>& points, std::size_t i) noexcept {
    return std::none_of(points.begin(), points.end(), [&](const scatter_point& p) {
        return p.x <= points[i].x && p.y <= points[i].y && (p.x < points[i].x || p.y < points[i].y);
    });
}

namespace detail {

struct box {
    double left, top, right, bottom;

    bool touches(const box& b) const noexcept { return left < b.right && b.left < right && top < b.bottom && b.top < bottom; }
    bool is_in(const box& b) const noexcept { return left >= b.left && right <= b.right && top >= b.top && bottom <= b.bottom; }
};

/// Where the names of points stand: near them, apart from all points, from each other and from what else is `taken`. Empty boxes
/// where there is no room.
inline std::vector<box> place_names(const std::vector<std::pair<double, double>>& at, const std::vector<std::string>& names,
                                    const box& inside, std::vector<box> taken = {}) {
    for (const auto& [x, y] : at) {
        taken.push_back({x - 7, y - 7, x + 7, y + 7});
    }
    std::vector<box> placed;
    for (std::size_t i = 0; i < at.size(); ++i) {
        const auto [x, y] = at[i];
        const double width = text_width(names[i]), height = 15;
        box found{};
        for (double distance = 9; found.right == found.left && distance < 200; distance += 9) {
            std::vector<std::pair<double, double>> corners = {{x + distance, y - height / 2},
                                                              {x - distance - width, y - height / 2}};
            for (const double part : {0.5, 0.0, 1.0, 0.25, 0.75}) {  // of the name, left of the point
                corners.emplace_back(x - part * width, y - distance - height);
                corners.emplace_back(x - part * width, y + distance);
            }
            for (const double side : {x + distance, x - distance - width}) {
                corners.emplace_back(side, y - distance - height / 2);
                corners.emplace_back(side, y + distance - height / 2);
            }
            for (const auto& [left, top] : corners) {
                const box here{left, top, left + width, top + height};
                if (here.is_in(inside) && std::none_of(taken.begin(), taken.end(), [&](const box& b) { return b.touches(here); })) {
                    found = here;
                    break;
                }
            }
        }
        placed.push_back(found);
        taken.push_back(found);
    }
    return placed;
}

inline std::string draw_panel(const scatter_panel& panel, const box& plot) {
    std::vector<double> xs, ys;
    for (const scatter_point& p : panel.points) {
        xs.push_back(p.x);
        ys.push_back(p.y);
    }
    const axis across(panel.across, xs, plot.left, plot.right), up(panel.up, ys, plot.bottom, plot.top, 0.15);
    std::string svg = svg_text(plot.left - 46, plot.top - 34, panel.title, "start", "b");
    for (const double v : across.ticks()) {
        svg += svg_line(across.at(v), plot.top, across.at(v), plot.bottom, "g") +
               svg_text(across.at(v), plot.bottom + 17, panel.across.tick(v), "middle", "q");
    }
    for (const double v : up.ticks()) {
        svg += svg_line(plot.left, up.at(v), plot.right, up.at(v), "g") +
               svg_text(plot.left - 7, up.at(v) + 4, panel.up.tick(v), "end", "q");
    }
    svg += svg_line(plot.left, plot.bottom, plot.right, plot.bottom, "a") +
           svg_line(plot.left, plot.top, plot.left, plot.bottom, "a") +
           svg_text((plot.left + plot.right) / 2, plot.bottom + 38, panel.across.title, "middle") +
           svg_text(plot.left - 46, plot.top - 12, panel.up.title);

    std::vector<const scatter_point*> points;
    std::vector<std::pair<double, double>> at, steps;
    std::vector<std::string> names;
    std::string missing;
    for (const bool marked : {true, false}) {  // whose names come first stand nearest
        for (const scatter_point& p : panel.points) {
            if (p.marked == marked && across.holds(p.x) && up.holds(p.y)) {
                points.push_back(&p);
                at.emplace_back(across.at(p.x), up.at(p.y));
                names.push_back(p.name);
            }
        }
    }
    for (const scatter_point& p : panel.points) {
        if (!across.holds(p.x) || !up.holds(p.y)) {
            missing += (missing.empty() ? "without a place here: " : ", ") + p.name;
        } else if (p.marked) {
            steps.emplace_back(across.at(p.x), up.at(p.y));
        }
    }
    svg += svg_text(plot.left, plot.bottom + 56, missing, "start", "w");
    std::sort(steps.begin(), steps.end());
    std::string path;
    std::vector<box> lines;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto [x, y] = steps[i];
        if (i == 0) {
            path = "M" + place(x) + " " + place(y);
        } else {
            const auto [from, high] = steps[i - 1];
            path += "H" + place(x) + "V" + place(y);
            lines.push_back({from, high - 1, x, high + 1});
            lines.push_back({x - 1, (std::min)(y, high), x + 1, (std::max)(y, high)});
        }
    }
    svg += path.empty() ? path : "<path class=\"d\" d=\"" + path + "\"/>\n";
    const std::vector<box> placed = place_names(at, names, {plot.left + 3, plot.top - 6, plot.right + 12, plot.bottom}, lines);
    for (std::size_t i = 0; i < points.size(); ++i) {
        const box& b = placed[i];
        const auto [x, y] = at[i];
        const double dx = (std::max)({b.left - x, x - b.right, 0.0}), dy = (std::max)({b.top - y, y - b.bottom, 0.0});
        if (b.right > b.left) {
            if (dx + dy > 14) {
                svg += svg_line(x, y, (std::clamp)(x, b.left, b.right), (std::clamp)(y, b.top + 3, b.bottom - 2), "l");
            }
            svg += svg_text(b.left, b.top + 12, names[i], "start", "n");
        }
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
        const scatter_point& p = *points[i];
        svg += svg_sign(p.marked ? chart_sign::filled : chart_sign::hollow, at[i].first, at[i].second,
                        p.name + ": " + panel.across.tick(p.x) + ", " + panel.up.tick(p.y));
    }
    return svg;
}

}  // namespace detail

/// Panels side by side. Points without room for their names have them where the reader points at them, and in the table beside.
inline std::string scatter_chart(std::string_view name, std::string_view title, std::string_view description,
                                 const std::vector<scatter_panel>& panels) {
    constexpr double width = 470, height = 410;
    std::string svg;
    double left = 0;
    for (const scatter_panel& p : panels) {
        svg += detail::draw_panel(p, {left + 58, 52, left + width - 22, height - 64});
        left += width;
    }
    return detail::svg_chart(name, left, height, title, description, svg);
}

PARE_NAMESPACE_END

#endif
