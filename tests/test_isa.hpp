#ifndef PARE_TESTS_TEST_ISA_HPP
#define PARE_TESTS_TEST_ISA_HPP

#include <pare/simd/isa.hpp>

/// The instruction set that this program tests: each kernel test is compiled once for each, with that instruction set's flags.
#if !defined(PARE_TEST_ISA)
#define PARE_TEST_ISA native
#endif
using test_isa = pare::isa::PARE_TEST_ISA;

#endif
