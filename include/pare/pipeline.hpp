#ifndef PARE_PIPELINE_HPP
#define PARE_PIPELINE_HPP

/// Everything but what makes files: pare/pipeline/encode.hpp and compress_to.hpp.
#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/pareto.hpp>
#include <pare/pipeline/stage.hpp>
#include <pare/pipeline/stages.hpp>

#endif
