#ifndef PARE_DISTILL_HPP
#define PARE_DISTILL_HPP

#include <pare/distill/distill.hpp>

#endif
