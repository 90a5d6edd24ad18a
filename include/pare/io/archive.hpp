#ifndef PARE_IO_ARCHIVE_HPP
#define PARE_IO_ARCHIVE_HPP

#include <deque>
#include <set>

#include <pare/io/safetensors.hpp>

PARE_NAMESPACE_BEGIN

/// What serialize(archive, name, storage&) calls, see io/model.hpp: one of these two.
namespace io {

/// Copies the tensors of a model and remembers the first name that is given twice.
class state_writer {
public:
    static constexpr bool loading = false;

    template <class T, std::size_t N, class... Axes>
    void array(const std::string& name, std::span<T, N> values, std::vector<std::size_t> shape, const Axes&... axes) {
        static_assert(safetensors_type<std::remove_const_t<T>> != nullptr,
                      "pare: safetensors files have no name for this type of numbers");
        if (!names_.insert(name).second && !problem_) {
            problem_ = error{error_code::invalid_argument,
                             sentence("tensor \"", name, "\": expected a name for each tensor, found two of this name")};
        }
        bytes& copy = copies_.emplace_back(values.size_bytes());
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::size_t place = i;
            ((place = axes.index_in_file(i)), ...);
            std::memcpy(copy.data() + place * sizeof(T), &values[i], sizeof(T));
        }
        (shape.assign(axes.shape.begin(), axes.shape.begin() + static_cast<std::ptrdiff_t>(axes.rank)), ...);
        tensors_.push_back({name, safetensors_type<std::remove_const_t<T>>, std::move(shape), copy});
    }
    void form(const std::string& name, std::string text) { metadata_.emplace_back(name, std::move(text)); }

    bytes content() const { return safetensors_content(tensors_, metadata_); }
    std::span<const tensor_entry> tensors() const noexcept { return tensors_; }
    std::span<const std::pair<std::string, std::string>> metadata() const noexcept { return metadata_; }
    /// Two tensors of one name, with which the content cannot be read.
    const std::optional<error>& problem() const noexcept { return problem_; }

private:
    std::vector<tensor_entry> tensors_;
    std::vector<std::pair<std::string, std::string>> metadata_;
    std::deque<bytes> copies_;
    std::set<std::string> names_;
    std::optional<error> problem_;
};

/// Fills the tensors of a model out of a file and remembers the first thing that does not fit.
class state_reader {
public:
    static constexpr bool loading = true;

    explicit state_reader(const safetensors& file) : file_(&file) {}

    /// Numbers of the same type, or half ones for floats, which is exact.
    template <class T, std::size_t N, class... Axes>
    void array(const std::string& name, std::span<T, N> values, std::vector<std::size_t> shape, const Axes&... axes) {
        static_assert(safetensors_type<std::remove_const_t<T>> != nullptr,
                      "pare: safetensors files have no name for this type of numbers");
        (shape.assign(axes.shape.begin(), axes.shape.begin() + static_cast<std::ptrdiff_t>(axes.rank)), ...);
        const tensor_entry* const found = take(name, sentence(safetensors_type<T>, " ", shape_text(shape)));
        if (found == nullptr) {
            return;
        }
        const bool half = std::is_same_v<T, float> && (found->type == "F16" || found->type == "BF16");
        if ((found->type != safetensors_type<T> && !half) || found->shape != shape) {
            fail(name, sentence(safetensors_type<T>, " ", shape_text(shape)), sentence(found->type, " ", shape_text(found->shape)));
            return;
        }
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::size_t place = i;
            ((place = axes.index_in_file(i)), ...);
            if constexpr (std::is_same_v<T, float>) {
                if (half) {
                    values[i] =
                        found->type == "F16" ? float{number<float16>(*found, place)} : float{number<bfloat16>(*found, place)};
                    continue;
                }
            }
            values[i] = number<T>(*found, place);
        }
    }
    void form(const std::string& name, const std::string& text) {
        if (const auto found = file_->metadata(name); found != text) {
            fail(name, sentence("metadata \"", text, "\""), found.empty() ? std::string("none") : sentence("\"", found, "\""));
        }
    }
    /// The length of a tensor of one axis.
    std::size_t length(const std::string& name) {
        const tensor_entry* const found = take(name, "a tensor of one axis");
        if (found != nullptr && found->shape.size() != 1) {
            fail(name, "one axis", shape_text(found->shape));
            return 0;
        }
        return found != nullptr ? found->shape[0] : 0;
    }
    void fail(const std::string& name, const std::string& expected, const std::string& found) {
        if (!problem_) {
            problem_ = error{error_code::malformed,
                             sentence(file_->file(), ": tensor \"", name, "\": expected ", expected, ", found ", found)};
        }
    }

    bool failed() const noexcept { return problem_.has_value(); }

    /// After all members: what did not fit, or a tensor that no member took, unless it is ignored.
    template <class Ignore>
    std::optional<error> problem(const Ignore& ignore) {
        for (const tensor_entry& t : file_->tensors()) {
            if (!std::binary_search(taken_.begin(), taken_.end(), t.name) && !problem_ && !ignore(t.name)) {
                fail(t.name, "only tensors that the model has", sentence(t.type, " ", shape_text(t.shape)));
            }
        }
        return problem_;
    }

private:
    template <class T>
    static T number(const tensor_entry& t, std::size_t i) noexcept {
        T value;
        std::memcpy(&value, t.data.data() + i * sizeof(T), sizeof(T));
        return value;
    }
    const tensor_entry* take(const std::string& name, const std::string& expected) {
        const tensor_entry* const found = file_->find(name);
        if (found == nullptr) {
            fail(name, expected, "no tensor of this name");
        } else if (const auto at = std::lower_bound(taken_.begin(), taken_.end(), name); at == taken_.end() || *at != name) {
            taken_.insert(at, name);
        }
        return found;
    }

    const safetensors* file_;
    std::vector<std::string> taken_;  // in order
    std::optional<error> problem_;
};

/// Names in a file that differ from those of the model by their beginnings: of each name the first that fits is exchanged.
///     state_names{{{"0.", "lstm."}, {"2.", "fc."}}}
struct state_names {
    std::vector<std::pair<std::string, std::string>> beginnings;

    std::string operator()(const std::string& name) const {
        for (const auto& [here, there] : beginnings) {
            if (name.starts_with(here)) {
                return there + name.substr(here.size());
            }
        }
        return name;
    }
};

}  // namespace io

PARE_NAMESPACE_END

#endif
