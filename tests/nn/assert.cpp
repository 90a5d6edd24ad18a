// The host's own handler: counts, and lets the caller go on.
static int failures = 0;
#define PARE_CHECKED 1
#define PARE_ASSERT_HANDLER(text, file, line, ...) (++failures, (void)(text), (void)(file), (void)(line))

#include <pare/nn/branches.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/conv_transpose.hpp>
#include <pare/nn/pool.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// How many assertions fail when the shape of a layer's output is asked for.
template <class Layer, std::size_t... E>
int failures_of(const Layer& layer, const extents<E...>& input) {
    failures = 0;
    (void)layer.plan().output_shape(input);
    return failures;
}

}  // namespace

TEST_CASE("branches of run-time extents that disagree are the caller's bug") {
    const extents<dyn, dyn, dyn> image(9, 9, 1);
    using conv = conv2d<dyn, dyn, dyn>;
    CHECK(failures_of(concat(conv(1, 2, 3), conv(1, 8, 3)), image) == 0);
    CHECK(failures_of(concat(conv(1, 2, 3), conv(1, 8, 5)), image) == 2);              // height and width
    CHECK(failures_of(parallel(conv(1, 2, 3), conv(1, 3, 3)), image) == 1);            // channels
    CHECK(failures_of(parallel(conv(1, 2, {1, 3}), conv(1, 2, {3, 1})), image) == 2);  // as many numbers
}

TEST_CASE("padding that takes away the output of a transposed convolution is the caller's bug") {
    using layer = conv_transpose2d<dyn, dyn, dyn>;
    const extents<dyn, dyn, dyn> image(2, 2, 1);
    CHECK(failures_of(layer(1, 1, 2, {.padding = 1}), image) == 0);
    CHECK(failures_of(layer(1, 1, 3, {.padding = 2}), image) == 1);
}

TEST_CASE("padding above half of a pool's kernel is the caller's bug") {
    failures = 0;
    (void)max_pool2d<dyn>(3, {.padding = 1});
    CHECK(failures == 0);
    (void)max_pool2d<dyn>(3, {.padding = 2});
    (void)average_pool2d<dyn>(size2d(4, 2), {.padding = 2});
    CHECK(failures == 2);
}

TEST_CASE("output_padding that no stride explains is the caller's bug") {
    failures = 0;
    (void)conv_transpose2d<dyn, dyn, dyn>(2, 2, 3, {.stride = 2, .output_padding = 1});
    (void)conv_transpose2d<dyn, dyn, dyn>(2, 2, 3, {.output_padding = 1, .dilation = 2});
    CHECK(failures == 0);
    (void)conv_transpose2d<dyn, dyn, dyn>(2, 2, 3, {.output_padding = 1});
    CHECK(failures == 1);
}
