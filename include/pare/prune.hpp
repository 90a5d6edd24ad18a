#ifndef PARE_PRUNE_HPP
#define PARE_PRUNE_HPP

#include <pare/prune/criteria.hpp>
#include <pare/prune/patterns.hpp>
#include <pare/prune/prune.hpp>
#include <pare/prune/schedules.hpp>
#include <pare/prune/sparsify.hpp>

#endif
