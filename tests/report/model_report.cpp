#include <pare/report/model_report.hpp>

#include <clocale>
#include <limits>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) {
        ++n;
    }
    return n;
}

/// What is wrong with XML, where something is: tags that do not match, attributes that are not quoted, < or & that stand alone.
std::string problem_of(const std::string& xml) {
    std::vector<std::string> open;
    for (std::size_t i = 0; i < xml.size(); ++i) {
        if (xml[i] == '&') {
            const std::size_t end = xml.find(';', i);
            if (end == std::string::npos || end - i > 6) {
                return "an & that is none: " + xml.substr(i, 20);
            }
        } else if (xml[i] == '<' && xml[i + 1] != '!') {
            const std::size_t end = xml.find('>', i);
            const std::string tag = xml.substr(i, end == std::string::npos ? end : end - i + 1);
            if (end == std::string::npos || tag.find('<', 1) != std::string::npos || count(tag, "\"") % 2 != 0) {
                return "no tag: " + tag;
            }
            const std::string name = tag.substr(1, tag.find_first_of(" />", tag[1] == '/' ? 2 : 1) - 1);
            if (name[0] == '/') {
                if (open.empty() || "/" + open.back() != name) {
                    return "closes what is not open: " + tag;
                }
                open.pop_back();
            } else if (tag[tag.size() - 2] != '/') {
                open.push_back(name);
            }
            i = end;
        }
    }
    return open.empty() ? "" : "left open: " + open.back();
}

model_report report_of_two(const char* name) {
    auto net = initialized(sequential(dense<4, 8>(), relu(), dense<8, 3>()), he_normal{}, seed{1});
    model_report report{"Models", "of nothing", 1000, "No counters.", {}};
    report.models.push_back({"teacher", "", 7, 3.5, costs_of(net), std::nullopt});
    report.models.push_back({name, "teacher", 9, 1.25, costs_of(*quantize_dynamic(net)), std::nullopt});
    return report;
}

}  // namespace

TEST_CASE("text between tags and in attributes") {
    CHECK(escaped("a<b> & \"c\" 'd'") == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    CHECK(escaped(std::string("\x01 \n\t\0 \u00b5", 8)) == "? \n\t? \u00b5");
}

TEST_CASE("numbers that are read, in any locale") {
    using namespace detail;
    std::setlocale(LC_ALL, "de_DE.UTF-8");  // where there is one
    CHECK(readable(0.0) == "0");
    CHECK(readable(1.75) == "1.75");
    CHECK(readable(2.0) == "2");
    CHECK(readable(0.02134) == "0.0213");
    CHECK(readable(42.14) == "42.1");
    CHECK(readable(-266610.0) == "-266,610");
    CHECK(readable(999.6) == "1,000");
    CHECK(readable(1e-30) == "0");
    CHECK(readable(std::numeric_limits<double>::quiet_NaN()) == "nan");
    CHECK(place(12.34) == "12.3");
    CHECK(bytes_text(941) == "941 B");
    CHECK(bytes_text(9580840) == "9.58 MB");
    CHECK(with_prefix(2.8e-6, "s") == "2.8 \u00b5s");
    CHECK(with_prefix(1.57e-3, "J") == "1.57 mJ");
    CHECK(with_prefix(0.0, "J") == "0 J");
    std::setlocale(LC_ALL, "C");
}

TEST_CASE("ticks of axes are few and lie on them") {
    const std::vector<std::pair<std::vector<double>, bool>> cases = {
        {{125, 153, 166}, false}, {{0, 0, 0}, false}, {{7}, false}, {{}, true},
        {{84786, 9580840}, true}, {{1, 1e15}, true},  {{3}, true}};
    for (const auto& [values, logarithmic] : cases) {
        const detail::axis axis({"", logarithmic}, values, 100, 300);
        CHECK(axis.ticks().size() >= 1);
        CHECK(axis.ticks().size() <= 7);
        for (const double v : axis.ticks()) {
            CHECK(axis.at(v) >= 99.9);
            CHECK(axis.at(v) <= 300.1);
        }
        for (const double v : values) {
            CHECK(axis.at(v) > 100);
            CHECK(axis.at(v) < 300);
        }
    }
    CHECK(detail::axis({"", false, detail::readable, 1.0}, {1, 2}, 0, 1).ticks() == std::vector<double>{0, 1, 2, 3});
    CHECK_FALSE(detail::axis({"", true}, {1}, 0, 1).holds(0.0));
    const detail::axis small({"", false}, {1e-12, 3e-12}, 0, 1);
    CHECK(small.at(3e-12) - small.at(1e-12) > 0.5);
    CHECK(detail::histogram_outline({}, small, 0, 10).empty());
    CHECK_FALSE(detail::axis({"", false}, {1}, 0, 1).holds(std::numeric_limits<double>::infinity()));
}

TEST_CASE("names of points touch neither each other nor points") {
    std::vector<std::pair<double, double>> at;
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) {
        at.emplace_back(100 + i % 2, 100 + 3 * (i / 2));  // almost in one place
        names.push_back("student_pruned_int8");
    }
    const auto boxes = detail::place_names(at, names, {0, 0, 470, 300});
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        CHECK(boxes[i].right > boxes[i].left);
        for (std::size_t j = 0; j < boxes.size(); ++j) {
            CHECK((i == j || !boxes[i].touches(boxes[j])));
            CHECK_FALSE(boxes[i].touches({at[j].first - 5, at[j].second - 5, at[j].first + 5, at[j].second + 5}));
        }
    }
    CHECK(detail::place_names({{10, 10}}, {"too long for its chart"}, {0, 0, 40, 40})[0].right == 0);
}

TEST_CASE("a report is one well-formed page that loads nothing, whatever models are called") {
    const std::string html = to_html(report_of_two("<script>alert('&')</script> \"x\""));
    CHECK(html.substr(0, 15) == "<!doctype html>");
    CHECK(problem_of(html) == "");
    CHECK(count(html, "<svg") == 4);
    CHECK(count(html, "role=\"img\"") == 4);
    CHECK(count(html, "<table>") == 4);
    CHECK(count(html, "<script") == 0);
    CHECK(count(html, "&lt;script&gt;") > 4);
    CHECK(count(html, "http") == count(html, "http://www.w3.org/2000/svg"));
    CHECK(count(html, "http") == 4);
    CHECK(count(html, "url(") + count(html, "src=") + count(html, "href=") + count(html, "@import") == 0);
    CHECK(count(html, "prefers-color-scheme:dark") == 1);
    CHECK(html.find("nan") == std::string::npos);
    CHECK(html.find("Energy, an estimate") != std::string::npos);
    CHECK(html.find("Horowitz, ISSCC 2014") != std::string::npos);
    CHECK(problem_of("<a><b></a></b>") != "");  // the test can fail
    CHECK(problem_of("<a x=\"1>&amp;</a>") != "");

    CHECK(problem_of(to_html(model_report{})) == "");
    const std::string alone = standalone(page_of(report_of_two("small")).sections[0].chart);
    CHECK(problem_of(alone) == "");
    CHECK(count(alone, "<svg xmlns") == 1);
}

TEST_CASE("what has no place on an axis is named, weights that are no numbers are counted") {
    auto report = report_of_two("small");
    report.models[1].microseconds = std::numeric_limits<double>::quiet_NaN();
    report.models[1].costs.layers[0].weights.nans = 3;
    report.models[1].measured_uj = 2.5;
    const std::string html = to_html(report);
    CHECK(problem_of(html) == "");
    CHECK(html.find("without a place here: small") != std::string::npos);
    CHECK(html.find("3 NaN") != std::string::npos);
    CHECK(html.find("Energy, measured and estimated") != std::string::npos);
    CHECK(html.find("measured 2.5 \u00b5J") != std::string::npos);
}

TEST_CASE("the front of a search") {
    const auto point = [](const char* stages, std::size_t bytes, std::size_t errors) {
        pareto_point p;
        p.stages = stages;
        p.bytes = bytes;
        p.samples = 100;
        p.errors = errors;
        return p;
    };
    const auto section = section_of({point("quantize", 900, 5), point("prune & quantize", 300, 5), point("prune", 200, 9)});
    CHECK(count(section.chart, "class=\"f1\"") == 2);
    CHECK(count(section.chart, "class=\"h\"") == 1);
    CHECK(section.table.rows.size() == 3);
    CHECK(section.table.rows[0].back() == "no");
    CHECK(problem_of(section.chart) == "");
    CHECK(section_of({}).chart.empty());
}
