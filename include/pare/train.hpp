#ifndef PARE_TRAIN_HPP
#define PARE_TRAIN_HPP

#include <pare/simd/unfused.hpp>
#include <pare/train/augment.hpp>
#include <pare/train/callbacks.hpp>
#include <pare/train/dataset.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/max_norm.hpp>
#include <pare/train/metrics.hpp>
#include <pare/train/optimizers.hpp>
#include <pare/train/report.hpp>
#include <pare/train/scheduled_loss.hpp>
#include <pare/train/schedules.hpp>

#endif
