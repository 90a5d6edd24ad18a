#ifndef PARE_COMPRESS_HPP
#define PARE_COMPRESS_HPP

#include <pare/compress/cluster.hpp>
#include <pare/compress/clusters.hpp>
#include <pare/compress/huffman.hpp>
#include <pare/compress/low_rank.hpp>
#include <pare/compress/low_rank_factors.hpp>
#include <pare/compress/low_rank_layers.hpp>
#include <pare/compress/low_rank_report.hpp>
#include <pare/compress/maybe_factorized.hpp>
#include <pare/compress/rans.hpp>
#include <pare/compress/svd.hpp>
#include <pare/compress/symbols.hpp>

#endif
