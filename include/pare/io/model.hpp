#ifndef PARE_IO_MODEL_HPP
#define PARE_IO_MODEL_HPP

#include <pare/io/archive.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/nn/clustered.hpp>
#include <pare/nn/fake_quantized.hpp>
#include <pare/nn/fake_range.hpp>
#include <pare/nn/layer.hpp>
#include <pare/nn/masked.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/mixed_weights.hpp>
#include <pare/types/quantization.hpp>
#include <pare/types/row_quint.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// How the members of a model lie in a safetensors file. Names are those of for_each_member, which are PyTorch's: "0.weight". A
/// model of float weights is a PyTorch state dict; other storages take these tensors, w being the member's name:
///
///     tensor, buffer                    w                 its type and shape
///     float, bfloat16, float16 weights  w                 F32, BF16 or F16 [outputs, inputs], or the axes of PyTorch for convolutions
///     qint8                             w, w.scale        I8 [outputs, inputs], F32 [outputs]
///     qint<B, G>, nf4<G>                w, w.scale        U8 [outputs, bytes of a row], F32 or F16 [outputs, groups]
///     affine qint<B, G>                 w.zero_point      besides: U8 [outputs, groups]
///     qint<B, G> with minima            w.minimum         besides: F32 or F16 [outputs, groups]
///     codebook<K>, clustered            w, w.codebook     U8 [outputs, inputs], F32 [K], the values that codes stand for
///     row_quint<B>                      w, w.scale,       U8 [rows, bytes of a row], F32 or F16 [rows] twice
///                                       w.minimum
///     blocks of ggml                    w                 U8 [outputs, bytes of a row], byte for byte as ggml stores them
///     csr                               w.crow_indices    U32 [outputs + 1], where rows begin
///                                       w.col_indices     U16 (csr32: U32) [stored], their columns
///                                       w.values          F32, BF16 or I8 [stored]; w.scale as above
///     bsr<R, C>                         those of csr      with rows and columns of blocks in the place of rows and columns;
///                                                         w.values [blocks, R, C], zero where a block reaches beyond the matrix
///     n_of_m<N, M>                      w.indices         U8 [outputs, bytes of a row], the places of weights in their groups,
///                                                         as many bits each as M - 1 has, from the lowest of a byte on
///                                       w.values          F32, BF16, F16 or I8 [outputs, stored of a row]; w.scale as above
///     mixed_weights                     w.candidate       U8 [1], which candidate it is; and the tensors of that
///     static_range                      w.scale,          F32 [1] and I32 [1], w being "input": of what the layer takes
///                                       w.zero_point
///                                       w.largest         I32 [1], the greatest integer that it becomes
///     masked, in training               w_orig, w_mask    F32 [outputs, inputs], the mask 1 or 0: as torch.nn.utils.prune
///     fake_quantized, in training       those of Inner    and, where its policy has them: w.scale F32, learned ones;
///                                                         w.channel_scale F32 [outputs], of a batch norm
///     fake_range, in training           w.range           F32 [3]: least, greatest, 1 where it has seen some; w.scale, a learned one
///
/// Quantized and sparse weights of convolutions are as they are here, [outputs, height * width * inputs]. Where types and shapes do
/// not say it all, __metadata__ describes w: "qint4 full in groups of 64, 300 x 784".
///
/// A storage of one's own takes part with a function serialize(archive, name, storage&) beside it, which calls the archive's
/// functions in the same order for saving and loading:
///
///     archive.array(name, std::span<T> numbers, shape, axes...)     is written, or checked and filled
///     archive.form(name, text)                                      is written, or checked
///     Archive::loading, archive.length(name), archive.fail(...)     where loading must know more, or check more

template <class Archive, class T, std::size_t... E>
void serialize(Archive& archive, const std::string& name, tensor<T, E...>& t) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        archive.array(name, t.values(), {t.extent(I)...});
    }
    (std::make_index_sequence<sizeof...(E)>{});
}

namespace detail {

template <class Archive, class Element, class Layout>
void serialize_scales(Archive& archive, const std::string& name, weight_matrix<Element, Layout>& w) {
    if (w.scales.empty()) {
        return;
    }
    if constexpr (is_codebook<Element>) {
        archive.array(name + ".codebook", std::span(w.scales), {w.scales.size()});
        if constexpr (Archive::loading) {
            for (const std::uint8_t code : w.values) {
                if (!archive.failed() && code >= w.scales.size()) {
                    archive.fail(name, sentence("codes from 0 to ", w.scales.size() - 1), sentence(int{code}));
                }
            }
        }
        return;
    }
    const std::string scale = name + ".scale";
    std::vector<std::size_t> shape = {w.rows()};
    if (w.scales.size() != w.rows()) {
        shape.push_back(w.scales.size() / w.rows());
    }
    archive.array(scale, std::span(w.scales), shape);
    const std::string beside =
        name + (std::is_same_v<typename weight_matrix<Element, Layout>::zero_point, std::uint8_t> ? ".zero_point" : ".minimum");
    if (!w.zero_points.empty()) {
        archive.array(beside, std::span(w.zero_points), shape);
    }
    if constexpr (Archive::loading) {
        if constexpr (requires { Element::bits; }) {
            for (const auto z : w.zero_points) {
                if constexpr (std::is_same_v<decltype(z), const std::uint8_t>) {
                    constexpr int most = (1 << Element::bits) - 1;
                    if (!archive.failed() && z > most) {
                        archive.fail(beside, sentence("numbers from 0 to ", most), sentence(z));
                    }
                } else if (!archive.failed() && !(is_finite(z) && z >= -largest_range && z <= largest_range)) {
                    archive.fail(beside, "finite numbers of at most 2^62", sentence(float{z}));
                }
            }
        }
        for (const float s : w.scales) {
            if (!archive.failed() && !(is_finite(s) && s >= smallest_scale && s <= largest_range)) {
                archive.fail(scale, "numbers from 2^-60 to 2^62", sentence(s));
            }
        }
    }
}

}  // namespace detail

template <class Archive, class Element, class... Axes>
void serialize(Archive& archive, const std::string& name, weight_matrix<Element, full>& w, const Axes&... axes) {
    using storage = typename weight_matrix<Element, full>::storage;
    if constexpr (std::is_same_v<Element, storage> && io::safetensors_type<storage> != nullptr) {
        archive.array(name, std::span(w.values), {w.rows(), w.columns()}, axes...);
    } else {
        std::string form = sentence(w.describe());
        if constexpr (detail::in_groups<Element>) {
            form += sentence(" in groups of ", detail::element_storage<Element>::format::size);
        }
        archive.form(name, sentence(form, ", ", w.rows(), " x ", w.columns()));
        const std::size_t row = w.rows() == 0 ? 0 : w.values.size() / w.rows();
        if constexpr (io::safetensors_type<storage> != nullptr) {
            archive.array(name, std::span(w.values), {w.rows(), row});
        } else {
            archive.array(name, std::span(reinterpret_cast<std::uint8_t*>(w.values.data()), w.values.size() * sizeof(storage)),
                          {w.rows(), row * sizeof(storage)});
            if constexpr (Archive::loading && requires { w.values[0].is_finite(); }) {
                for (const storage& block : w.values) {
                    if (!archive.failed() && !block.is_finite()) {
                        archive.fail(name, "finite scales", "an infinity or NaN");
                    }
                }
            }
        }
        detail::serialize_scales(archive, name, w);
    }
}

/// Layouts of blocks, whose columns rise within each row of them: csr with its blocks of one weight, and bsr.
template <class Archive, class Element, class Layout, class... Axes>
requires requires {
    Layout::block_rows;
}
void serialize(Archive& archive, const std::string& name, weight_matrix<Element, Layout>& w, const Axes&...) {
    using Index = typename Layout::index;
    constexpr std::size_t block_rows = Layout::block_rows, block_columns = Layout::block_columns;
    if constexpr (Archive::loading) {
        if (w.columns() > Layout::most_columns) {
            archive.fail(name, sentence("at most ", Layout::most_columns, " inputs in this layout"), sentence(w.columns()));
            return;
        }
    }
    archive.form(name, sentence(w.describe(), ", ", w.rows(), " x ", w.columns()));
    aligned_array<std::uint32_t> row_begin(w.structure.rows_of_blocks() + 1);
    aligned_array<Index> column;
    if constexpr (Archive::loading) {
        column = aligned_array<Index>(archive.length(name + ".col_indices"));
    } else {
        column = aligned_array<Index>(w.structure.blocks());
        std::copy(w.structure.row_begin(), w.structure.row_begin() + row_begin.size(), row_begin.begin());
        std::copy(w.structure.column(), w.structure.column() + column.size(), column.begin());
    }
    archive.array(name + ".crow_indices", std::span(row_begin.data(), row_begin.size()), {row_begin.size()});
    archive.array(name + ".col_indices", std::span(column.data(), column.size()), {column.size()});
    if constexpr (Archive::loading) {
        const std::size_t columns = (w.columns() + block_columns - 1) / block_columns;
        const auto* const fall = std::is_sorted_until(row_begin.begin(), row_begin.end());
        const std::uint32_t first = row_begin[0], last = row_begin[row_begin.size() - 1];
        if (first != 0 || last != column.size() || fall != row_begin.end()) {
            archive.fail(name + ".crow_indices", sentence("numbers that rise from 0 to ", column.size()),
                         fall != row_begin.end() ? sentence(*fall, " after ", *(fall - 1), " at ", fall - row_begin.begin())
                                                 : sentence("those from ", first, " to ", last));
            return;
        }
        for (std::size_t r = 0; r + 1 < row_begin.size(); ++r) {
            const std::size_t deepest = (std::min)((row_begin[r + 1] - row_begin[r]) * block_columns, w.columns());
            if (std::is_same_v<Element, qint8> && deepest > kernels::int8_largest_depth) {
                archive.fail(name + ".crow_indices", sentence("at most ", kernels::int8_largest_depth, " weights in a row"),
                             sentence(deepest, " in row ", r));
                return;
            }
            for (std::size_t i = row_begin[r]; i < row_begin[r + 1]; ++i) {
                if (column[i] >= columns || (i > row_begin[r] && column[i] <= column[i - 1])) {
                    archive.fail(name + ".col_indices", sentence("columns that rise within each row and are below ", columns),
                                 sentence(column[i], " in row ", r));
                    return;
                }
            }
        }
        w = weight_matrix<Element, Layout>(
            typename Layout::structure(w.rows(), w.columns(), std::move(row_begin), std::move(column)));
    }
    if constexpr (block_rows * block_columns == 1) {
        archive.array(name + ".values", std::span(w.values), {w.values.size()});
    } else {
        archive.array(name + ".values", std::span(w.values), {w.structure.blocks(), block_rows, block_columns});
    }
    detail::serialize_scales(archive, name, w);
}

template <class Archive, class Element, std::size_t N, std::size_t M, class... Axes>
void serialize(Archive& archive, const std::string& name, weight_matrix<Element, n_of_m<N, M>>& w, const Axes&...) {
    archive.form(name, sentence(w.describe(), ", ", w.rows(), " x ", w.columns()));
    auto indices = w.structure.indices();
    archive.array(name + ".indices", std::span(indices.data(), indices.size()), {w.rows(), w.structure.index_bytes_per_row()});
    if constexpr (Archive::loading) {
        typename n_of_m<N, M>::structure loaded(w.rows(), w.columns(), std::move(indices));
        std::size_t last = 0;
        loaded.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
            const std::size_t j = i % loaded.stored_per_row(), group = j / N;
            if (!archive.failed() && (column >= w.columns() || column / M != group || (j % N != 0 && column <= last))) {
                const std::size_t inputs = w.columns() - group * M < M ? w.columns() - group * M : M;
                archive.fail(name + ".indices", sentence("places that rise within each group and are below ", inputs),
                             sentence(column - group * M, " in row ", row, ", group ", group));
            }
            last = column;
        });
        if (archive.failed()) {
            return;
        }
        w.structure = std::move(loaded);
    }
    archive.array(name + ".values", std::span(w.values), {w.rows(), w.structure.stored_per_row()});
    detail::serialize_scales(archive, name, w);
}

template <class Archive, class Pattern, class Inner, class... Axes>
void serialize(Archive& archive, const std::string& name, masked<Pattern, Inner>& w, const Axes&... axes) {
    serialize(archive, name + "_orig", w.inner, axes...);
    std::vector<float> kept(w.mask.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = w.mask.keeps(i) ? 1.0f : 0.0f;
    }
    archive.array(name + "_mask", std::span(kept), {w.rows(), w.columns()}, axes...);
    if constexpr (Archive::loading) {
        for (std::size_t i = 0; i < kept.size() && !archive.failed(); ++i) {
            if (kept[i] != 0.0f && kept[i] != 1.0f) {
                archive.fail(name + "_mask", "zeros and ones", sentence(kept[i], " for weight ", i));
            }
            w.mask.set(i, kept[i] != 0.0f);
        }
    }
}

template <class Archive, std::size_t K, class... Axes>
void serialize(Archive& archive, const std::string& name, clustered<K>& w, const Axes&... axes) {
    auto shared = w.frozen();
    serialize(archive, name, shared, axes...);
    if constexpr (Archive::loading) {
        if (!archive.failed()) {
            w = clustered<K>(shared);
        }
    }
}

template <class Archive, weight_policy Policy, class Inner, class... Axes>
void serialize(Archive& archive, const std::string& name, fake_quantized<Policy, Inner>& w, const Axes&... axes) {
    serialize(archive, name, w.inner, axes...);
    if constexpr (fake_quantized<Policy, Inner>::learned) {
        archive.array(name + ".scale", std::span(w.scales), {w.scales.size()});
    }
    if constexpr (fake_quantized<Policy, Inner>::one_scale) {
        archive.array(name + ".channel_scale", std::span(w.channel_scale), {w.rows()});
    }
    if constexpr (Archive::loading) {
        w.template refresh<isa::scalar>();
    }
}

template <class Archive, input_policy Policy>
void serialize(Archive& archive, const std::string& name, fake_range<Policy>& a) {
    archive.array(name + ".range", std::span(a.range), {a.range.size()});
    if constexpr (fake_range<Policy>::learned) {
        archive.array(name + ".scale", std::span(&a.scale, 1), {1});
    }
}

template <class Archive, class... Candidates, class... Axes>
void serialize(Archive& archive, const std::string& name, mixed_weights<Candidates...>& w, const Axes&... axes) {
    using mixed = mixed_weights<Candidates...>;
    auto chosen = static_cast<std::uint8_t>(w.chosen());
    archive.array(name + ".candidate", std::span(&chosen, 1), {1});
    if constexpr (Archive::loading) {
        if (chosen >= mixed::candidates) {
            archive.fail(name + ".candidate", sentence("a number from 0 to ", mixed::candidates - 1), sentence(int{chosen}));
            return;
        }
    }
    const auto each = [&](auto index) {
        if (index != chosen) {
            return;
        }
        if (Archive::loading && index != w.chosen()) {
            w = mixed(std::in_place_index<index>, mixed::template candidate_at<index>::of_shape(w.rows(), w.columns()));
        }
        serialize(archive, name, *w.template get<index>(), axes...);
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (each(std::integral_constant<std::size_t, I>{}), ...);
    }
    (std::index_sequence_for<Candidates...>{});
}

template <class Archive>
void serialize(Archive& archive, const std::string& name, static_range& range) {
    quantization& q = range.input;
    archive.array(name + ".scale", std::span(&q.scale, 1), {1});
    archive.array(name + ".zero_point", std::span(&q.zero_point, 1), {1});
    archive.array(name + ".largest", std::span(&range.largest, 1), {1});
    if constexpr (Archive::loading) {
        if (!archive.failed() && !(range.largest > quint8::smallest && range.largest <= quint8::largest)) {
            archive.fail(name + ".largest", "a number from 1 to 255", sentence(range.largest));
        }
        if (!archive.failed() && !(is_finite(q.scale) && q.scale >= smallest_scale && q.scale <= largest_range)) {
            archive.fail(name + ".scale", "a number from 2^-60 to 2^62", sentence(q.scale));
        }
        if (!archive.failed() && !(q.zero_point >= quint8::smallest && q.zero_point <= range.largest)) {
            archive.fail(name + ".zero_point", sentence("a number from 0 to ", range.largest), sentence(q.zero_point));
        }
    }
}

namespace io {

/// Takes the members of a model to or from an archive.
template <class Archive, class Model, class Names>
void serialize_members(Archive& archive, Model& model, const Names& names) {
    for_each_member(model, [&](const member_path& path, auto& member, const std::same_as<file_axes> auto&... axes) {
        constexpr bool known = requires(const std::string& name) {
            serialize(archive, name, member, axes...);
        };
        static_assert(
            known,
            "pare: this storage of weights is not one that files hold: save the model, not the prepared one; a storage of "
            "your own needs a function serialize(archive, name, storage&)");
        if constexpr (known) {
            serialize(archive, names(path.text()), member, axes...);
        }
    });
}

/// Fills a model from a file, wholly or not at all. Names that begin with "training." are a checkpoint's.
template <class Model>
std::optional<error> fill_members(Model& model, const safetensors& file, const state_names& names) {
    Model loaded = model;
    state_reader reader(file);
    serialize_members(reader, loaded, names);
    if (auto problem = reader.problem([](const std::string& name) { return name.starts_with("training."); })) {
        return problem;
    }
    model = std::move(loaded);
    return std::nullopt;
}

}  // namespace io

/// Writes the parameters of a model, or of a result of one, to a safetensors file: PyTorch reads it where the weights are float. A
/// file that is there is replaced as a whole or not at all. Errors: a place that cannot be written, names that give two
/// tensors one, and the error of the result.
template <class Model>
[[nodiscard]] std::optional<error> save(const Model& model, const std::string& path, const io::state_names& names = {}) {
    if constexpr (is_result<Model>) {
        return model ? save(*model, path, names) : std::optional<error>(model.error());
    } else {
        static_assert(has_members<Model>, "pare: save() takes a model; a prepared one cannot be saved: save what it was made from");
        io::state_writer writer;
        io::serialize_members(writer, const_cast<Model&>(model), names);
        return writer.problem() ? writer.problem() : io::write_file(path, writer.content());
    }
}

/// Fills a model of the same type and shapes from a file of save() or of PyTorch:
///
///     auto net = sequential(dense<784, 300>(), relu(), dense<300, 10>());    // torch.nn.Sequential(Linear, ReLU, Linear)
///     if (auto problem = load(net, "net.safetensors")) { ... problem->message ... }
///
/// Float weights may be F16 or BF16 in the file. Errors, with which the model stays as it was: a file that cannot be read or is
/// damaged; a tensor that is missing, left over, or of another type or shape. Takes the file's size and the model's once more in
/// memory.
template <class Model>
[[nodiscard]] std::optional<error> load(Model& model, const std::string& path, const io::state_names& names = {}) {
    static_assert(has_members<Model>, "pare: load() takes a model");
    const auto file = io::safetensors::read(path);
    return file ? io::fill_members(model, *file, names) : std::optional<error>(file.error());
}

PARE_NAMESPACE_END

#endif
