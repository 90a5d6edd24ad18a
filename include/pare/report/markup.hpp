#ifndef PARE_REPORT_MARKUP_HPP
#define PARE_REPORT_MARKUP_HPP

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <pare/config/assert.hpp>

PARE_NAMESPACE_BEGIN

/// What stands for a number in a chart: a filled or a hollow circle, a diamond, a square.
enum class chart_sign { filled, hollow, diamond, square };

/// Text as it stands between tags and in quoted attributes of HTML and SVG: & < > " ' become entities, control characters, which
/// neither may have, a question mark.
inline std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return safe;
}

namespace detail {

/// Whether x is a number that a chart has a place for; also where the compiler believes that there are no others.
inline bool is_drawable(double x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/// x with so many digits behind the point, whatever the host's locale.
inline std::string with_decimals(double x, int digits) {
    if (!is_drawable(x)) {
        return (std::bit_cast<std::uint64_t>(x) & 0xfffffffffffffu) != 0 ? "nan" : std::signbit(x) ? "-inf" : "inf";
    }
    char text[400];
    const auto end = std::to_chars(text, text + sizeof text, x, std::chars_format::fixed, digits).ptr;
    return std::string(text, end);
}

/// A coordinate: a tenth of a pixel is enough.
inline std::string place(double x) {
    return with_decimals(x, 1);
}

/// 1234567 as "1,234,567".
inline std::string with_commas(std::size_t n) {
    std::string digits = std::to_string(n);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

/// x with about three digits that count: "0.0213", "1.75", "42.1", "1,234".
inline std::string readable(double x) {
    const double size = x < 0 ? -x : x;
    if (!is_drawable(x) || size == 0.0) {
        return is_drawable(x) ? "0" : with_decimals(x, 0);
    }
    if (size >= 999.5) {
        return size < 1e15 ? (x < 0 ? "-" : "") + with_commas(static_cast<std::size_t>(size + 0.5)) : with_decimals(x, 0);
    }
    const int decimals = size >= 99.95    ? 0
                         : size >= 9.995  ? 1
                         : size >= 0.9995 ? 2
                                          : 1 - static_cast<int>(std::floor(std::log10(size))) + 1;
    std::string text = with_decimals(x, decimals < 12 ? decimals : 12);
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        text.erase(text.back() == '.' ? text.size() - 1 : text.size());
    }
    return text;
}

/// x of a unit with the prefix that leaves it readable: "941 kB", "2.1 ms" for with_prefix(2.1e-3, "s").
inline std::string with_prefix(double x, const char* unit) {
    constexpr const char* prefixes[] = {"p", "n", "\u00b5", "m", "", "k", "M", "G", "T"};
    std::size_t p = 4;
    double size = x < 0 ? -x : x;
    while (is_drawable(x) && size >= 999.5 && p < 8) {
        size /= 1000;
        x /= 1000;
        ++p;
    }
    while (is_drawable(x) && size != 0.0 && size < 0.9995 && p > 0) {
        size *= 1000;
        x *= 1000;
        --p;
    }
    return readable(x) + " " + prefixes[p] + unit;
}
inline std::string bytes_text(double bytes) {
    return bytes < 1000 ? readable(bytes) + " B" : with_prefix(bytes, "B");
}

/// About how wide text is in a sans-serif font of 12 pixels. Bytes that go on a character count nothing.
inline double text_width(std::string_view text) noexcept {
    double width = 0;
    for (const char c : text) {
        width += (static_cast<unsigned char>(c) & 0xc0u) == 0x80u ? 0.0 : 7.0;
    }
    return width;
}

/// A text of a chart. `anchor` is start, middle or end.
inline std::string svg_text(double x, double y, std::string_view text, const char* anchor = "start", const char* style = "t") {
    return "<text class=\"" + std::string(style) + "\" x=\"" + place(x) + "\" y=\"" + place(y) + "\" text-anchor=\"" + anchor +
           "\">" + escaped(text) + "</text>\n";
}
inline std::string svg_line(double x1, double y1, double x2, double y2, const char* style) {
    return "<path class=\"" + std::string(style) + "\" d=\"M" + place(x1) + " " + place(y1) + "L" + place(x2) + " " + place(y2) +
           "\"/>\n";
}

/// A sign, which says `about` where the reader points at it.
inline std::string svg_sign(chart_sign shape, double x, double y, std::string_view about) {
    const std::string tip = "<title>" + escaped(about) + "</title>";
    const auto shape_of = [&](const char* path) {
        return "<path class=\"f2\" transform=\"translate(" + place(x) + " " + place(y) + ")\" d=\"" + path + "\">" + tip +
               "</path>\n";
    };
    switch (shape) {
        case chart_sign::diamond: return shape_of("M0 -6L6 0L0 6L-6 0Z");
        case chart_sign::square: return shape_of("M-4.5 -4.5H4.5V4.5H-4.5Z");
        default:
            return "<circle class=\"" + std::string(shape == chart_sign::filled ? "f1" : "h") + "\" cx=\"" + place(x) + "\" cy=\"" +
                   place(y) + "\" r=\"5\">" + tip + "</circle>\n";
    }
}

/// A chart around its drawing. Its name is unique on a page; title and description are for those who do not see it.
inline std::string svg_chart(std::string_view name, double width, double height, std::string_view title,
                             std::string_view description, const std::string& drawing) {
    const std::string id = escaped(name);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"" + id + "-title " + id +
           "-about\" viewBox=\"0 0 " + place(width) + " " + place(height) + "\" width=\"" + place(width) + "\" height=\"" +
           place(height) + "\">\n<title id=\"" + id + "-title\">" + escaped(title) + "</title>\n<desc id=\"" + id + "-about\">" +
           escaped(description) + "</desc>\n" + drawing + "</svg>\n";
}

}  // namespace detail

/// The colours of charts, light or dark as the reader prefers: what a page has once in its style.
inline constexpr const char* chart_style =
    R"(:root{--ground:#ffffff;--ink:#1c2024;--quiet:#5b6470;--rule:#d5d9de;--one:#1f6fd0;--two:#c2560c}
@media(prefers-color-scheme:dark){:root{--ground:#14181d;--ink:#e6e9ed;--quiet:#a3adb8;--rule:#363d45;--one:#63a8ff;--two:#f29a5c}}
svg{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.p{fill:var(--ground)}.t{fill:var(--ink)}.q{fill:var(--quiet)}.b{fill:var(--ink);font-weight:600}.n{fill:var(--ink);stroke:var(--ground);stroke-width:3;paint-order:stroke}.w{fill:var(--two);font-weight:600}
.g{stroke:var(--rule);fill:none}.a{stroke:var(--quiet);fill:none}.l{stroke:var(--quiet);stroke-width:.8;fill:none}
.d{stroke:var(--one);stroke-width:1.5;stroke-dasharray:4 3;fill:none}.s{stroke:var(--one);stroke-width:2;stroke-opacity:.45;fill:none}
.f1{fill:var(--one);stroke:var(--ground)}.f2{fill:var(--two);stroke:var(--ground)}.h{fill:var(--ground);stroke:var(--one);stroke-width:2}
)";

/// A chart of a page as a file of its own: with the colours, and a ground to stand on.
inline std::string standalone(const std::string& chart) {
    const std::size_t after = chart.find('>');
    PARE_ASSERT(chart.substr(0, 4) == "<svg" && after != std::string::npos, "standalone() of what is no chart: %zu bytes",
                chart.size());
    return chart.substr(0, after + 1) + "\n<style>" + chart_style + "</style>\n<rect width=\"100%\" height=\"100%\" class=\"p\"/>" +
           chart.substr(after + 1);
}

PARE_NAMESPACE_END

#endif
