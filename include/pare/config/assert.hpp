#ifndef PARE_CONFIG_ASSERT_HPP
#define PARE_CONFIG_ASSERT_HPP

#include <pare/config/version.hpp>

/// PARE_ASSERT(condition, format, ...) checks what only the caller's code can get wrong: the shape of a view, the size of a
/// workspace. It is compiled in where PARE_CHECKED is 1 (by default where NDEBUG is not defined). A host replaces what happens by
/// defining PARE_ASSERT_HANDLER(text, file, line, format, ...) before the first include; the default prints the sentence and
/// aborts.
#if PARE_CHECKED
#if !defined(PARE_ASSERT_HANDLER)
#include <cstdio>
#include <cstdlib>
#define PARE_ASSERT_HANDLER(text, file, line, ...)                                                         \
    (std::fprintf(stderr, "%s:%d: pare: %s: ", (file), (line), (text)), std::fprintf(stderr, __VA_ARGS__), \
     std::fputc('\n', stderr), std::abort())
#endif
#define PARE_ASSERT(condition, ...) \
    ((condition) ? (void)0 : (void)(PARE_ASSERT_HANDLER(#condition, __FILE__, __LINE__, __VA_ARGS__)))
#else
#define PARE_ASSERT(condition, ...) ((void)0)
#endif

#endif
