#ifndef PARE_REPORT_PAGE_HPP
#define PARE_REPORT_PAGE_HPP

#include <vector>

#include <pare/report/markup.hpp>

PARE_NAMESPACE_BEGIN

/// A table of a page. The first cell of each row names it; the others stand to the right.
struct report_table {
    std::string caption;
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
};

/// A chart with what it says and the numbers that it shows; either may be missing.
struct report_section {
    std::string heading;
    std::string text;
    std::string chart;  // what one of the chart functions gave: the only markup that is taken as it is
    report_table table;
};

struct report_page {
    std::string title;
    std::string text;
    std::vector<report_section> sections;
};

namespace detail {

inline constexpr const char* page_style = R"(*{box-sizing:border-box}
html{color-scheme:light dark}
body{margin:0 auto;max-width:1200px;padding:24px;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.7em;line-height:1.2;margin:0 0 .3em}h2{font-size:1.25em;margin:2em 0 .3em}p{max-width:75ch;margin:.3em 0 1em}
figure{margin:0 0 1em;overflow-x:auto}svg{display:block;max-width:none}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875em;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:.3em 0}
th,td{padding:.3em .8em;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:first-child{text-align:left;padding-left:0}th{font-weight:600}tbody th{font-weight:400}
)";

inline std::string html_table(const report_table& table) {
    std::string html = "<div class=\"scroll\"><table>\n<caption>" + escaped(table.caption) + "</caption>\n<thead><tr>";
    for (const std::string& cell : table.header) {
        html += "<th scope=\"col\">" + escaped(cell) + "</th>";
    }
    html += "</tr></thead>\n<tbody>\n";
    for (const std::vector<std::string>& row : table.rows) {
        html += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i) {
            html += i == 0 ? "<th scope=\"row\">" + escaped(row[i]) + "</th>" : "<td>" + escaped(row[i]) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</tbody>\n</table></div>\n";
}

}  // namespace detail

/// A page that is one file: style and charts are in it, it loads nothing, runs no script, and is light or dark as the reader
/// prefers. Well-formed as XML too, behind its first line.
inline std::string to_html(const report_page& page) {
    std::string html =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
        escaped(page.title) + "</title>\n<style>\n" + chart_style + detail::page_style + "</style>\n</head>\n<body>\n<main>\n<h1>" +
        escaped(page.title) + "</h1>\n<p>" + escaped(page.text) + "</p>\n";
    for (const report_section& s : page.sections) {
        html += "<section>\n<h2>" + escaped(s.heading) + "</h2>\n<p>" + escaped(s.text) + "</p>\n";
        html += s.chart.empty() ? std::string() : "<figure>\n" + s.chart + "</figure>\n";
        html += (s.table.rows.empty() ? std::string() : detail::html_table(s.table)) + "</section>\n";
    }
    return html + "</main>\n</body>\n</html>\n";
}

PARE_NAMESPACE_END

#endif
