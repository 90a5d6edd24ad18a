// Writes small files that are right, for the fuzzers to begin with: seeds DIRECTORY, which has a directory for each of them.

#include <cstdio>
#include <cstdlib>

#include <zlib.h>

#include <pare/compress/cluster.hpp>
#include <pare/io/checkpoint.hpp>
#include <pare/io/compressed.hpp>
#include <pare/io/model.hpp>
#include <pare/io/npy.hpp>
#include <pare/io/teacher_logits.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/callbacks.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

using namespace pare;

namespace {

void check(const std::optional<error>& problem) {
    if (problem) {
        std::fprintf(stderr, "%s\n", problem->message.c_str());
        std::exit(1);
    }
}

io::bytes idx(std::initializer_list<unsigned char> dimensions, std::size_t values) {
    io::bytes content = {0, 0, 8, static_cast<unsigned char>(dimensions.size())};
    for (const unsigned char d : dimensions) {
        content.insert(content.end(), {0, 0, 0, d});
    }
    content.resize(content.size() + values, 3);
    return content;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "expected a directory\n");
        return 1;
    }
    const std::string to = argv[1];
    auto dense_part = initialized(sequential(dense<4, 3>(), dense<3, 2>()), he_normal{}, seed{1});
    check(save(dense_part, to + "/safetensors/float"));
    check(save(quantize_dynamic(dense_part), to + "/safetensors/qint8"));
    auto sparse_part = *sparsify<csr>(sequential(std::get<0>(dense_part.layers)));
    auto four_bits = *quantize_dynamic<qint4<16>>(sequential(dense<2, 2>()));
    check(save(sequential(std::get<0>(sparse_part.layers), std::get<1>(dense_part.layers), std::get<0>(four_bits.layers)),
               to + "/safetensors/whole"));  // what the fuzzer's model is
    const auto shared_part = cluster<4>(sparse_part);
    const auto add_archive = [&](const char* name, result<io::packed_archive> archive) {
        check(archive ? std::nullopt : std::optional<error>(archive.error()));
        archive->content.resize(archive->content.size() - 4);  // without the checksum, which the fuzzer adds
        check(io::write_file(to + "/archive/" + name, archive->content));
    };
    const std::string model = to + "/archive/model";
    const auto bytes_part = quantize_dynamic(dense_part);
    add_archive("qint8", save_compressed(bytes_part, model));
    add_archive("shared", save_compressed(shared_part, model));
    add_archive("whole", save_compressed(sequential(std::get<0>(shared_part->layers), std::get<1>(bytes_part->layers)), model));
    std::vector<unsigned char> rare(1200, 0), rising(80, 0);  // long enough for rANS; shorter as differences
    for (std::size_t i = 0; i < rare.size(); i += 50) {
        rare[i] = static_cast<unsigned char>(i);
    }
    for (std::size_t i = 0; i < rising.size(); i += 4) {
        rising[i] = static_cast<unsigned char>(3 * i);
    }
    const io::tensor_entry long_ones[] = {{"rare", "U8", {30, 40}, rare}, {"rising", "U32", {20}, rising}};
    const std::pair<std::string, std::string> texts[] = {{"key", "text"}};
    add_archive("coders", io::pack(long_ones, texts));
    auto trained = initialized(sequential(dense<2, 3>()), he_normal{}, seed{1});
    aligned_array<float> points(8);
    std::fill(points.begin(), points.end(), 0.5f);
    const auto data = *labeled_data<float, 2>::make("points", {}, 3, points, {0, 1, 2, 0});
    check(save_teacher_logits(teacher_logits::make(trained, data), data, to + "/safetensors/logits"));
    check(save_teacher_logits(teacher_logits::make(trained, data, {logit_form::top_k, 2}), data, to + "/safetensors/top_k"));
    early_stopping patience;
    best_weights best;
    const auto run = fit(trained, data, cross_entropy{}, sgd{}, {.epochs = 1, .batch_size = 2}, patience, best,
                         io::checkpoint(to + "/checkpoint/run", {}, patience, best));
    if (!run) {
        check(run.error());
    }
    const float numbers[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    const std::size_t shape[2] = {2, 2};
    check(io::write_npy<float>(to + "/npy/floats", shape, numbers));
    const std::uint8_t small[4] = {1, 2, 3, 4};
    check(io::write_npy<std::uint8_t>(to + "/npy/bytes", shape, small));
    check(io::write_file(to + "/idx/labels", idx({3}, 3)));
    check(io::write_file(to + "/idx/images", idx({3, 2, 2}, 12)));
    auto pair = idx({3, 2, 2}, 12);
    pair.insert(pair.begin(), static_cast<unsigned char>(pair.size()));
    const auto labels = idx({3}, 3);
    pair.insert(pair.end(), labels.begin(), labels.end());
    check(io::write_file(to + "/idx/pair", pair));
    const auto images = idx({3, 2, 2}, 12);
    const std::string zipped = to + "/gzip/images";
    const gzFile out = gzopen(zipped.c_str(), "wb");
    if (out == nullptr || gzwrite(out, images.data(), static_cast<unsigned>(images.size())) <= 0 || gzclose(out) != Z_OK) {
        return 1;
    }
    check(io::write_file(to + "/gzip/plain", images));
}
