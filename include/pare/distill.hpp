#ifndef PARE_DISTILL_HPP
#define PARE_DISTILL_HPP

#include <pare/distill/born_again.hpp>
#include <pare/distill/callable_teacher.hpp>
#include <pare/distill/distill.hpp>
#include <pare/distill/feature_losses.hpp>
#include <pare/distill/logit_losses.hpp>
#include <pare/distill/mutual_learning.hpp>
#include <pare/distill/self_distillation.hpp>
#include <pare/distill/teacher_features.hpp>
#include <pare/distill/teacher_logits.hpp>
#include <pare/distill/with_features.hpp>

#endif
