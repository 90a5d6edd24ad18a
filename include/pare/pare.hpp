#ifndef PARE_PARE_HPP
#define PARE_PARE_HPP

/// Everything but the readers and writers of files (pare/io/), reports (pare/report.hpp) and the thread pool
/// (pare/core/thread_pool.hpp).
#include <pare/compress.hpp>
#include <pare/distill.hpp>
#include <pare/nn.hpp>
#include <pare/pipeline.hpp>
#include <pare/prune.hpp>
#include <pare/quantize.hpp>
#include <pare/train.hpp>

#endif
