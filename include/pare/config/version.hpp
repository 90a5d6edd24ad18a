#ifndef PARE_CONFIG_VERSION_HPP
#define PARE_CONFIG_VERSION_HPP

#define PARE_VERSION_MAJOR 0
#define PARE_VERSION_MINOR 1
#define PARE_VERSION_PATCH 0

#if !defined(PARE_CHECKED)
#if defined(NDEBUG)
#define PARE_CHECKED 0
#else
#define PARE_CHECKED 1
#endif
#endif

// The inline namespace names what would change a type or a function body: the version and whether assertions are compiled
// in. Two translation units that differ in it link together without sharing a symbol.
#if PARE_CHECKED
#define PARE_ABI v0_1_checked
#else
#define PARE_ABI v0_1
#endif

#define PARE_NAMESPACE_BEGIN \
    namespace pare {         \
    inline namespace PARE_ABI {
#define PARE_NAMESPACE_END \
    }                      \
    }

#endif
