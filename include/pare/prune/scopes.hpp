#ifndef PARE_PRUNE_SCOPES_HPP
#define PARE_PRUNE_SCOPES_HPP

#include <string>
#include <string_view>
#include <vector>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

// Over which weights the units of a pattern are compared.

/// Each matrix is pruned to the sparsity by itself.
struct per_layer {};

/// The units of all matrices are ranked together, of equal scores those of the first matrix first: the sparsity is that of all, one
/// matrix may lose more than another. Scores must be comparable between layers. Patterns without units, as n_of_m, prune each
/// matrix to the same sparsity anyway.
struct global_scope {};

/// Each matrix by itself, those of some layers to sparsities of their own. A name is that of weights ("0.weight") or of a layer
/// they are in ("0"); the first that fits counts, one that fits none is an error. A schedule takes all layers there together: where
/// it is at half its final sparsity, so are they.
///
///     layer_targets{{{"0", 0.95}, {"2.weight", 0.8}}}
struct layer_targets {
    struct target {
        std::string name;
        double sparsity;
    };
    std::vector<target> targets;

    /// The target of weights of this path; null where there is none.
    const target* of(std::string_view path) const noexcept {
        for (const target& t : targets) {
            if (path.starts_with(t.name) && (path.size() == t.name.size() || path[t.name.size()] == '.')) {
                return &t;
            }
        }
        return nullptr;
    }
};

PARE_NAMESPACE_END

#endif
