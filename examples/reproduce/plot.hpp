#ifndef PARE_EXAMPLES_REPRODUCE_PLOT_HPP
#define PARE_EXAMPLES_REPRODUCE_PLOT_HPP

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace reproduce {

/// A point of a line, with the least and the greatest of what it is the mean of.
struct point {
    double y, low, high;
};
struct line {
    std::string name;
    std::size_t first;  // the label below its first point
    std::vector<point> points;
};
/// Lines over labels at equal distances.
struct panel {
    std::string title;
    std::vector<std::string> labels;
    std::vector<line> lines;
};

/// Panels side by side as SVG, with a band from low to high behind each line. It brings its own background, in the colours that the
/// reader prefers.
inline std::string plot_svg(const std::vector<panel>& panels, const std::string& below) {
    constexpr double width = 400, height = 260, left = 56, top = 40, bottom = 50;
    const char* const colours[] = {"#2f7ed8", "#e07b1a", "#3c9d5d"};
    std::string svg;
    const auto add = [&](const char* format, auto... values) {
        char text[512];
        std::snprintf(text, sizeof text, format, values...);
        svg += text;
    };
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" font-size=\"12\">\n",
        width * static_cast<double>(panels.size()), height);
    svg +=
        "<style>.b{fill:#fff}.t{fill:#333}.g{stroke:#8884;fill:none}@media(prefers-color-scheme:dark){.b{fill:#161b22}.t{fill:#ccc}"
        "}"
        "</style>\n<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n";
    for (std::size_t p = 0; p < panels.size(); ++p) {
        const panel& now = panels[p];
        double low = 1e300, high = -1e300;
        for (const line& l : now.lines) {
            for (const point& q : l.points) {
                low = std::min(low, q.low);
                high = std::max(high, q.high);
            }
        }
        const double power = std::pow(10.0, std::floor(std::log10(std::max(high - low, 1e-9))));
        const double step = (high - low) / power < 2 ? power / 2 : (high - low) / power < 5 ? power : 2 * power;
        low = std::floor(low / step) * step;
        high = std::ceil(high / step) * step;
        const double x0 = width * static_cast<double>(p) + left, across = width - left - 20;
        const auto x = [&](std::size_t i) {
            return x0 + across * static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, now.labels.size() - 1));
        };
        const auto y = [&](double value) { return top + (high - value) / (high - low) * (height - top - bottom); };
        add("<text class=\"t\" x=\"%.1f\" y=\"18\" font-weight=\"bold\">%s</text>\n", x0, now.title.c_str());
        for (double value = low; value < high + step / 2; value += step) {
            add("<path class=\"g\" d=\"M%.1f %.1fh%.1f\"/><text class=\"t\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%.6g</text>\n",
                x0, y(value), across, x0 - 6, y(value) + 4, std::fabs(value) < step / 2 ? 0.0 : value);
        }
        for (std::size_t i = 0; i < now.labels.size(); ++i) {
            add("<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x(i), height - bottom + 18,
                now.labels[i].c_str());
        }
        add("<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x0 + across / 2, height - 12,
            below.c_str());
        for (std::size_t l = 0; l < now.lines.size(); ++l) {
            const line& drawn = now.lines[l];
            const char* const colour = colours[l % 3];
            std::string path, band, back, dots;
            for (std::size_t i = 0; i < drawn.points.size(); ++i) {
                char text[96];
                const auto at = [&](double value) {
                    std::snprintf(text, sizeof text, "%.1f %.1f ", x(drawn.first + i), y(value));
                    return std::string(text);
                };
                path += at(drawn.points[i].y);
                band += at(drawn.points[i].high);
                back = at(drawn.points[i].low) + back;
                std::snprintf(text, sizeof text, "M%.1f %.1fV%.1f", x(drawn.first + i), y(drawn.points[i].low),
                              y(drawn.points[i].high));
                dots += std::string("<path d=\"") + text + "\" stroke=\"" + colour + "\" stroke-opacity=\"0.5\"/>\n";
                std::snprintf(text, sizeof text, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"", x(drawn.first + i),
                              y(drawn.points[i].y));
                dots += std::string(text) + colour + "\"/>\n";
            }
            svg += std::string("<polygon points=\"") + band + back + "\" fill=\"" + colour +
                   "\" fill-opacity=\"0.18\"/>\n<polyline points=\"" + path + "\" fill=\"none\" stroke=\"" + colour +
                   "\" stroke-width=\"2\"/>\n" + dots;
            add("<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", x0 + 8 + 120 * static_cast<double>(l), 34.0, colour,
                drawn.name.c_str());
        }
    }
    return svg + "</svg>\n";
}

}  // namespace reproduce

#endif
