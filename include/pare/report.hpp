#ifndef PARE_REPORT_HPP
#define PARE_REPORT_HPP

#include <pare/report/axis.hpp>
#include <pare/report/energy.hpp>
#include <pare/report/histogram_chart.hpp>
#include <pare/report/markup.hpp>
#include <pare/report/model_costs.hpp>
#include <pare/report/model_report.hpp>
#include <pare/report/page.hpp>
#include <pare/report/rows_chart.hpp>
#include <pare/report/scatter.hpp>
#include <pare/report/weight_histogram.hpp>

#endif
