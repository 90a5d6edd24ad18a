#ifndef PARE_COMPRESS_RANS_HPP
#define PARE_COMPRESS_RANS_HPP

#include <algorithm>

#include <pare/compress/symbols.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// Asymmetric numeral systems, range variant, with one static table: a symbol of frequency f of 4096 takes log2(4096 / f) bits,
/// also fractions of one. Duda 2013, arXiv 1311.2540, section 2.3; the interleaving of four coders is Giesen 2014, arXiv 1402.3392.
///
/// A state x, 2^16 <= x < 2^32, takes a symbol in by x' = floor(x / f) * 4096 + x mod f + c, c the sum of the frequencies before
/// it; where that would be 2^32 or more, 16 bits of x go to the stream first. Symbol i belongs to state i mod 4.
///
///     content  = first last frequency... state[4] word...
///     first, last  bytes, the smallest and the largest symbol; no symbols at all are no content at all
///     frequency    of each symbol between, 0 to 4096, sum 4096: one byte below 128, else two, the second its upper bits:
///                  0x80 | frequency & 0x7f, frequency >> 7
///     state        32 bits, low byte first, of the decoder's start; each ends as 2^16
///     word         16 bits, low byte first, in the order in which the decoder takes them
struct rans {
    /// Bytes that decode() turns into the symbols again. O(n).
    static std::vector<std::uint8_t> encode(std::span<const std::uint8_t> symbols) {
        std::vector<std::uint8_t> content;
        if (symbols.empty()) {
            return content;
        }
        const symbol_counts counts = count_symbols(symbols);
        const frequencies table(counts);
        table.write(counts, content);

        std::uint32_t state[lanes] = {least_state, least_state, least_state, least_state};
        std::vector<std::uint16_t> words;  // last one first
        for (std::size_t i = symbols.size(); i-- != 0;) {
            std::uint32_t& x = state[i % lanes];
            const std::uint32_t f = table.frequency[symbols[i]];
            if (x >= std::uint64_t{f} << 20) {
                words.push_back(static_cast<std::uint16_t>(x));
                x >>= 16;
            }
            x = ((x / f) << precision) + x % f + table.before[symbols[i]];
        }
        for (const std::uint32_t x : state) {
            for (unsigned shift = 0; shift < 32; shift += 8) {
                content.push_back(static_cast<std::uint8_t>(x >> shift));
            }
        }
        for (std::size_t i = words.size(); i-- != 0;) {
            content.push_back(static_cast<std::uint8_t>(words[i]));
            content.push_back(static_cast<std::uint8_t>(words[i] >> 8));
        }
        return content;
    }

    /// Fills `symbols`, all of them, from content that need not be trusted. Errors: a table whose frequencies are
    /// not 4096 in sum, content that ends early or late, states that do not end where an encoder begins.
    static std::optional<error> decode(std::span<const std::uint8_t> content, std::span<std::uint8_t> symbols) {
        if (symbols.empty()) {
            return content.empty() ? std::nullopt : problem("no bytes for no symbols", content.size());
        }
        detail::byte_source source(content);
        decoding_table slots;
        if (!slots.read(source)) {
            return problem("frequencies of 4096 in sum", content.size());
        }
        const std::span<const std::uint8_t> stream = source.left();
        if (stream.size() < sizeof(std::uint32_t) * lanes || stream.size() % 2 != 0) {
            return problem("four states and whole words", content.size());
        }
        std::uint32_t x[lanes];
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const std::uint8_t* const p = stream.data() + 4 * lane;
            x[lane] = p[0] | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[3]} << 24;
            if (x[lane] < least_state) {
                return problem("states of at least 65536", content.size());
            }
        }
        const std::uint8_t* p = stream.data() + 4 * lanes;
        const std::uint8_t* const end = stream.data() + stream.size();
        std::size_t i = 0;
        for (; symbols.size() - i >= lanes && static_cast<std::size_t>(end - p) >= 2 * lanes; i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                symbols[i + lane] = slots.take(x[lane]);
                const std::uint32_t longer = x[lane] << 16 | p[0] | std::uint32_t{p[1]} << 8;
                const bool shorter = x[lane] < least_state;
                x[lane] = shorter ? longer : x[lane];
                p += shorter ? 2 : 0;
            }
        }
        for (; i < symbols.size(); ++i) {
            std::uint32_t& state = x[i % lanes];
            symbols[i] = slots.take(state);
            if (state < least_state) {
                if (p == end) {
                    return problem("more words", content.size());
                }
                state = state << 16 | p[0] | std::uint32_t{p[1]} << 8;
                p += 2;
            }
        }
        if (p != end || std::any_of(x, x + lanes, [](std::uint32_t state) { return state != least_state; })) {
            return problem("an end where the last symbol is", content.size());
        }
        return std::nullopt;
    }

private:
    static constexpr std::size_t lanes = 4;
    static constexpr unsigned precision = 12;
    static constexpr std::uint32_t total = 1u << precision;
    static constexpr std::uint32_t least_state = 1u << 16;

    static std::optional<error> problem(const char* expected, std::size_t found) {
        return error{error_code::malformed, sentence("rANS stream: expected ", expected, ", found ", found, " bytes without")};
    }

    /// Frequencies of 4096 in sum, of every symbol that occurs at least one, and what is before each.
    struct frequencies {
        std::array<std::uint32_t, 256> frequency{};
        std::array<std::uint32_t, 256> before{};

        /// In proportion to the counts, rounded down; then one more for whoever gains most by it, or one less for who loses least,
        /// n_s log2(f_s) being what counts. In integers: the same on every machine.
        explicit frequencies(const symbol_counts& counts) noexcept {
            std::uint64_t n = 0;
            for (const std::uint64_t count : counts) {
                n += count;
            }
            std::uint32_t sum = 0;
            std::size_t most = 0;
            for (std::size_t s = 0; s < counts.size(); ++s) {
                frequency[s] = counts[s] == 0 ? 0 : (std::max)(1u, static_cast<std::uint32_t>(counts[s] * total / n));
                sum += frequency[s];
                most = counts[s] > counts[most] ? s : most;
            }
            for (; sum < total; ++sum) {
                std::size_t best = most;
                for (std::size_t s = 0; s < counts.size(); ++s) {
                    best = counts[s] * (2 * frequency[best] + 1) > counts[best] * (2 * frequency[s] + 1) ? s : best;
                }
                ++frequency[best];
            }
            for (; sum > total; --sum) {
                std::size_t best = most;
                for (std::size_t s = 0; s < counts.size(); ++s) {
                    const bool less = counts[s] * (2 * frequency[best] - 1) < counts[best] * (2 * frequency[s] - 1);
                    best = frequency[s] > 1 && less ? s : best;
                }
                --frequency[best];
            }
            for (std::size_t s = 1; s < counts.size(); ++s) {
                before[s] = before[s - 1] + frequency[s - 1];
            }
        }

        void write(const symbol_counts& counts, std::vector<std::uint8_t>& content) const {
            const detail::symbol_range range(counts);
            content.push_back(static_cast<std::uint8_t>(range.first));
            content.push_back(static_cast<std::uint8_t>(range.last));
            for (std::size_t s = range.first; s <= range.last; ++s) {
                content.push_back(static_cast<std::uint8_t>(frequency[s] < 128 ? frequency[s] : 0x80 | (frequency[s] & 0x7f)));
                if (frequency[s] >= 128) {
                    content.push_back(static_cast<std::uint8_t>(frequency[s] >> 7));
                }
            }
        }
    };

    /// For each of the 4096 remainders of a state its symbol, the frequency of that, and how far into it the remainder is.
    class decoding_table {
    public:
        bool read(detail::byte_source& source) noexcept {
            const auto first = source.byte();
            const auto last = source.byte();
            if (!first || !last || *first > *last) {
                return false;
            }
            std::uint32_t next = 0;
            for (std::size_t s = *first; s <= *last; ++s) {
                const auto low = source.byte();
                const auto high = low && *low >= 0x80 ? source.byte() : std::optional<std::size_t>(0);
                if (!low || !high) {
                    return false;
                }
                const auto f = static_cast<std::uint32_t>((*low & 0x7f) | *high << 7);
                if (f > total - next) {
                    return false;
                }
                for (std::uint32_t i = 0; i < f; ++i) {
                    slots_[next + i] = (f - 1) << 20 | i << 8 | static_cast<std::uint32_t>(s);
                }
                next += f;
            }
            return next == total;
        }

        /// The symbol that a state took in last, and the state before it.
        PARE_INLINE std::uint8_t take(std::uint32_t& x) const noexcept {
            const std::uint32_t slot = slots_[x & (total - 1)];
            x = ((slot >> 20) + 1) * (x >> precision) + ((slot >> 8) & (total - 1));
            return static_cast<std::uint8_t>(slot);
        }

    private:
        std::uint32_t slots_[total];
    };
};

PARE_NAMESPACE_END

#endif
