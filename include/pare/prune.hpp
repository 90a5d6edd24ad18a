#ifndef PARE_PRUNE_HPP
#define PARE_PRUNE_HPP

#include <pare/prune/count_rules.hpp>
#include <pare/prune/criteria.hpp>
#include <pare/prune/lottery_ticket.hpp>
#include <pare/prune/masks.hpp>
#include <pare/prune/optimal_brain.hpp>
#include <pare/prune/patterns.hpp>
#include <pare/prune/prune.hpp>
#include <pare/prune/pruning.hpp>
#include <pare/prune/schedules.hpp>
#include <pare/prune/scopes.hpp>
#include <pare/prune/shrink.hpp>
#include <pare/prune/sparse_gpt.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/prune/sparsity_report.hpp>
#include <pare/prune/wanda.hpp>

#endif
