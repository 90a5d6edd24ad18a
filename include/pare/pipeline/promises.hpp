#ifndef PARE_PIPELINE_PROMISES_HPP
#define PARE_PIPELINE_PROMISES_HPP

#include <optional>

#include <pare/pipeline/matrix_state.hpp>

PARE_NAMESPACE_BEGIN

/// What a stage says of the weights that it takes, of its own work and for all stages behind it. compress() holds every stage to
/// what it says and to what those before it said.
struct stage_promises {
    bool zeros = false;      // weights that are 0 before it or behind it stay 0
    std::size_t values = 0;  // at most so many different ones are stored of a matrix, where it is not 0
    std::size_t bits = 0;    // at most so many for each that is stored, where it is not 0

    bool operator==(const stage_promises&) const = default;
};

namespace detail {

/// What holds of each matrix, and who said so.
class promise_keeper {
public:
    explicit promise_keeper(std::vector<matrix_state> model) : now_(std::move(model)) { begin_with_new(); }

    const std::vector<matrix_state>& now() const noexcept { return now_; }

    /// After a stage that promises something of the matrices in `paths`. Errors: what does not hold; `stage` begins the sentence.
    std::optional<error> check(const std::string& stage, const char* name, const stage_promises& promises,
                               const std::vector<std::string>& paths, std::vector<matrix_state> after) {
        for (std::size_t i = 0; i < promised_.size(); ++i) {
            promised_matrix& p = promised_[i];
            const bool taken = std::find(paths.begin(), paths.end(), p.path) != paths.end();
            if (taken) {
                if (promises.zeros && p.zeros.who.empty()) {
                    p.zeros = {now_[i].nonzero, "the stage before"};
                }
                tighten(p.values, promises.values, name);
                tighten(p.bits, promises.bits, name);
            }
            const auto found = std::find_if(after.begin(), after.end(), [&](const matrix_state& m) { return m.path == p.path; });
            if (auto broken = found == after.end() ? sentence("expected these weights to be kept, found none of this name")
                                                   : p.broken_by(*found);
                !broken.empty()) {
                return error{error_code::invalid_data, sentence(stage, ": ", p.path, ": ", broken)};
            }
            if (taken && promises.zeros) {
                p.zeros = {found->nonzero, name};
            }
            std::iter_swap(after.begin() + static_cast<std::ptrdiff_t>(i), found);  // the order of members before
        }
        now_ = std::move(after);
        begin_with_new();
        return std::nullopt;
    }

private:
    /// Nothing is promised yet of matrices that a stage has added; of them and their shapes stages behind it are.
    void begin_with_new() {
        for (std::size_t i = promised_.size(); i < now_.size(); ++i) {
            const matrix_state& m = now_[i];
            promised_.push_back({m.path, m.nonzero.rows(), m.nonzero.columns(), {}, {}, {}});
        }
    }

    template <class T>
    struct promise {
        T what{};
        std::string who;  // empty where nobody said it
    };
    struct promised_matrix {
        std::string path;
        std::size_t rows;
        std::size_t columns;
        promise<sparse_mask> zeros;
        promise<std::size_t> values;
        promise<std::size_t> bits;

        /// What is not kept, if anything.
        std::string broken_by(const matrix_state& m) const {
            if (m.nonzero.rows() != rows || m.nonzero.columns() != columns) {
                return sentence("expected ", rows, " x ", columns, " weights, as before, found ", m.nonzero.rows(), " x ",
                                m.nonzero.columns());
            }
            std::size_t lost = 0;
            for (std::size_t i = 0; i < m.size() && !zeros.who.empty(); ++i) {
                lost += m.nonzero.keeps(i) && !zeros.what.keeps(i) ? 1u : 0u;
            }
            if (lost != 0) {
                return sentence("expected the ", m.size() - zeros.what.kept(), " weights to stay 0 that were so behind ", zeros.who,
                                ", found ", lost, " that are not");
            }
            if (!values.who.empty() && m.values > values.what) {
                return sentence("expected at most ", values.what, " different values, as ", values.who, " promised, found ",
                                m.values);
            }
            if (!bits.who.empty() && m.bits > bits.what) {
                return sentence("expected at most ", bits.what, " bits for a weight, as ", bits.who, " promised, found ", m.bits);
            }
            return "";
        }
    };
    static void tighten(promise<std::size_t>& p, std::size_t most, const char* name) {
        if (most != 0 && (p.who.empty() || most < p.what)) {
            p = {most, name};
        }
    }

    std::vector<matrix_state> now_;
    std::vector<promised_matrix> promised_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
