#ifndef PARE_QUANTIZE_PER_CHANNEL_OBSERVER_HPP
#define PARE_QUANTIZE_PER_CHANNEL_OBSERVER_HPP

#include <vector>

#include <pare/quantize/observers.hpp>

PARE_NAMESPACE_BEGIN

/// Which axis of a batch the channels are: the first, as the outputs of weights [outputs, inputs]; or the last, as those of
/// activations.
enum class channel_axis { first, last };

/// One observer for each channel. A batch holds as many numbers of every channel.
template <observer Observer = minmax_observer>
class per_channel_observer {
public:
    explicit per_channel_observer(std::size_t channels, channel_axis axis = channel_axis::first, const Observer& fresh = {})
        : axis_(axis), channels_(channels, fresh) {
        PARE_ASSERT(channels > 0, "expected an observer of at least 1 channel, got %zu", channels);
    }

    void observe(std::span<const float> batch) {
        const std::size_t n = batch.size() / channels_.size();
        PARE_ASSERT(n * channels_.size() == batch.size(), "a batch of %zu numbers for %zu channels", batch.size(),
                    channels_.size());
        if (axis_ == channel_axis::first) {
            for (std::size_t c = 0; c < channels_.size(); ++c) {
                channels_[c].observe(batch.subspan(c * n, n));
            }
            return;
        }
        std::vector<float> column(n);
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            for (std::size_t i = 0; i < n; ++i) {
                column[i] = batch[i * channels_.size() + c];
            }
            channels_[c].observe(column);
        }
    }

    /// The range of each channel, or the error of the first that has none.
    result<std::vector<observed_range>> ranges() const {
        std::vector<observed_range> ranges;
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            const auto range = channels_[c].range();
            if (!range) {
                return error{range.error().code, sentence("channel ", c, ": ", range.error().message)};
            }
            ranges.push_back(*range);
        }
        return ranges;
    }

private:
    channel_axis axis_;
    std::vector<Observer> channels_;
};

PARE_NAMESPACE_END

#endif
