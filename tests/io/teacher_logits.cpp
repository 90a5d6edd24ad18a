#include <pare/io/teacher_logits.hpp>

#include <cstdio>
#include <limits>

#include <pare/distill/distill.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

const std::string path = "pare_test_teacher_logits.safetensors";
const auto data = quarters(30);
const auto net = initialized(sequential(dense<2, 4>()), he_normal{}, seed{1});

teacher_logits of(const logit_cache& cache) {
    return *teacher_logits::make(net, data, cache);
}

std::string message(const io::bytes& content) {
    REQUIRE_FALSE(io::write_file(path, content));
    const auto loaded = load_teacher_logits(path, data);
    std::remove(path.c_str());
    return loaded ? "no error" : loaded.error().message;
}

/// A tensor of any numbers.
template <class T>
io::tensor_entry entry(const char* name, std::vector<std::size_t> shape, const std::vector<T>& numbers) {
    return {name,
            io::safetensors_type<T>,
            std::move(shape),
            {reinterpret_cast<const unsigned char*>(numbers.data()), numbers.size() * sizeof(T)}};
}
std::string message(const std::vector<io::tensor_entry>& tensors) {
    return message(io::safetensors_content(tensors, {}));
}

}  // namespace

TEST_CASE("logits come out of a file as they were kept") {
    for (const logit_cache& cache :
         {logit_cache{}, logit_cache{logit_form::float16}, logit_cache{logit_form::top_k, 3}, logit_cache{logit_form::top_k, 9}}) {
        const auto logits = of(cache);
        REQUIRE_FALSE(save_teacher_logits(logits, data, path));
        const auto loaded = load_teacher_logits(path, data);
        REQUIRE(loaded);
        CHECK(loaded->bytes() == logits.bytes());
        CHECK(loaded->cache().form == cache.form);
        for (std::size_t i = 0; i < 30; ++i) {
            float a[4], b[4];
            logits.read(i, a);
            loaded->read(i, b);
            CHECK(std::equal(a, a + 4, b));
        }
        // A student learns from the file to the same bits.
        const auto student = distill(net, load_teacher_logits(path, data), data, soft_targets{}, sgd{}, {.epochs = 1});
        const auto expected = distill(net, logits, data, soft_targets{}, sgd{}, {.epochs = 1});
        CHECK(std::ranges::equal(std::get<0>(student->layers).weights.values, std::get<0>(expected->layers).weights.values));
        const auto content = *io::read_file(path);
        for (std::size_t length = 0; length < content.size(); length += 61) {
            CHECK_THAT(message(io::bytes(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(length))),
                       ContainsSubstring(path + ": "));
        }
    }
    const auto many = callable_teacher{[](std::span<const float>, matrix_view<float> y) {
                                           std::fill(y.data, y.data + y.rows * y.columns, 0.0f);
                                           y(0, 70000) = 5.0f;
                                       },
                                       70001};
    aligned_array<float> point(2);
    const auto one = *labeled_data<float, 2>::make("one", {}, 70001, std::move(point), {0});
    REQUIRE_FALSE(save_teacher_logits(teacher_logits::make(many, one, {logit_form::top_k, 1}), one, path));
    std::vector<float> row(70001);
    load_teacher_logits(path, one)->read(0, row.data());
    CHECK(row[70000] == 5.0f);
    std::remove(path.c_str());
}

TEST_CASE("logits from one end of floats to the other come out of a file") {
    constexpr float most = std::numeric_limits<float>::max();
    for (float high = most / 16.0f; high <= most - 1e37f; high += 1e37f) {
        const auto teacher = callable_teacher{[high](std::span<const float>, matrix_view<float> y) {
                                                  for (std::size_t i = 0; i < y.rows; ++i) {
                                                      const float row[] = {-most, 0.0f, high, -most};
                                                      std::copy(row, row + 4, y.row(i));
                                                  }
                                              },
                                              4};
        const auto logits = teacher_logits::make(teacher, data, {logit_form::top_k, 3});
        REQUIRE_FALSE(save_teacher_logits(*logits, data, path));
        const auto loaded = load_teacher_logits(path, data);
        INFO((loaded ? "" : loaded.error().message));
        REQUIRE(loaded);
        float row[4];
        loaded->read(29, row);
        CHECK(row[2] == high);
        CHECK(row[0] <= -most * 0.999999f);
        CHECK(row[0] >= -most);
    }
    std::remove(path.c_str());
}

TEST_CASE("logits of another data set are an error") {
    CHECK(save_teacher_logits(of({}), quarters(29), path)->message ==
          path + ": tensor \"logits\": expected 29 samples of at least 4 classes, those of the data set, found 30 of 4");
    CHECK(save_teacher_logits(teacher_logits::make(sequential(dense<2, 4>()), data, {logit_form::top_k, 0}), data, path));
    REQUIRE_FALSE(save_teacher_logits(of({}), data, path));
    CHECK(load_teacher_logits(path, quarters(31)).error().message ==
          path + ": tensor \"logits\": expected 31 samples of at least 4 classes, those of the data set, found 30 of 4");
    aligned_array<float> points(60);
    const auto more = *labeled_data<float, 2>::make("more", {}, 5, points, std::vector<std::int32_t>(30, 0));
    CHECK(load_teacher_logits(path, more).error().message ==
          path + ": tensor \"logits\": expected 30 samples of at least 5 classes, those of the data set, found 30 of 4");
    const auto fewer = *labeled_data<float, 2>::make("fewer", {}, 3, points, std::vector<std::int32_t>(30, 0));
    REQUIRE_FALSE(save_teacher_logits(of({}), fewer, path));  // a teacher may know more of them
    CHECK(load_teacher_logits(path, fewer));
    const auto other = load_teacher_logits(path, quarters(30, 1));
    REQUIRE_FALSE(other);
    CHECK_THAT(other.error().message, ContainsSubstring(path + ": tensor \"samples.crc32\": expected "));
    CHECK_THAT(other.error().message, ContainsSubstring("the teacher saw others, or in another order"));
    std::remove(path.c_str());
    CHECK_THAT(load_teacher_logits(path, data).error().message, ContainsSubstring(path + ": expected a file that can be read"));
}

TEST_CASE("a matrix of logits that another program has written is one of a teacher") {
    std::vector<float> x(120, 0.5f);
    const std::vector<std::uint8_t> note(1, 0);
    CHECK(message({entry("logits", {30, 4}, x), entry("note", {1}, note)}) == "no error");
    const std::vector<bfloat16> brain(120);
    CHECK(message({entry("logits", {30, 4}, brain)}) == "no error");
    x[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK(message({entry("logits", {30, 4}, x)}) ==
          path + ": tensor \"logits\": expected finite logits, found nan in those of sample 1");
    const std::vector<double> wide(120);
    CHECK(message({entry("logits", {30, 4}, wide)}) == path + ": tensor \"logits\": expected F32 [30, 4], found F64 [30, 4]");
}

TEST_CASE("files that contradict themselves are errors that name the tensor") {
    const std::string begin = path + ": tensor \"logits";
    const std::vector<float> none, x(120);
    CHECK(message({entry("logit", {30, 4}, x)}) ==
          begin + "\": expected samples by classes, or by the number of labels, found no tensor of this name");
    for (const std::vector<std::size_t>& shape :
         {std::vector<std::size_t>{120}, {30, 2, 2}, {std::size_t{1} << 50, 0}, {0, std::size_t{1} << 60}}) {
        CHECK_THAT(message({entry("logits", shape, shape.back() % 2 == 0 && shape.size() == 2 ? none : x)}),
                   ContainsSubstring(begin + "\": expected samples by classes"));
    }
    const std::vector<std::uint8_t> byte(30);
    const auto top = [&](std::uint32_t classes, std::uint16_t label, float step, std::size_t scales = 30) {
        std::vector<std::uint16_t> labels(60);
        for (std::size_t i = 1; i < 60; i += 2) {
            labels[i] = label;
        }
        const std::vector<std::uint8_t> below(60);
        std::vector<float> scale(3 * scales);
        scale[7] = step;
        const std::vector<std::uint32_t> count(1, classes);
        return message({entry("logits.label", {30, 2}, labels), entry("logits.byte", {30, 2}, below),
                        entry("logits.scale", {scales, 3}, scale), entry("logits.classes", {1}, count)});
    };
    CHECK(top(4, 3, 0.5f) == "no error");
    CHECK(top(4, 4, 0.5f) == begin + ".label\": expected labels below 4, each once in a sample, found others in sample 0");
    CHECK(top(4, 0, 0.5f) == begin + ".label\": expected labels below 4, each once in a sample, found others in sample 0");
    CHECK(top(4, 3, -1.0f) == begin + ".scale\": expected finite logits and a step of at least 0, found 0, -1 and 0 in sample 2");
    CHECK_THAT(top(4, 3, std::numeric_limits<float>::infinity()), ContainsSubstring(begin + ".scale\": expected finite logits"));
    CHECK(top(1, 3, 0.5f) == begin + ".classes\": expected at least 2, the labels of a sample, and fewer than 2^24, found 1");
    CHECK_THAT(top(~0u, 3, 0.5f), ContainsSubstring("fewer than 2^24, found 4294967295"));
    CHECK(top(4, 3, 0.5f, 29) == begin + ".scale\": expected F32 [30, 3], found F32 [29, 3]");
    CHECK_THAT(top(70000, 3, 0.5f), ContainsSubstring(begin + ".label\": expected U32 [30, 2], found U16 [30, 2]"));
    CHECK(message({entry("logits.label", {30, 1}, byte)}) == begin + ".classes\": expected U32 [1], found no tensor of this name");
}
