#ifndef PARE_COMPRESS_HUFFMAN_HPP
#define PARE_COMPRESS_HUFFMAN_HPP

#include <algorithm>
#include <iterator>

#include <pare/compress/symbols.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// Canonical Huffman codes of at most 12 bits, the best of such codes by package-merge. Huffman 1952; Larmore, Hirschberg 1990.
///
///     content  = first last length... bit...
///     first, last  bytes, the smallest and the largest symbol; no symbols at all are no content at all; where both are the same,
///                  nothing follows
///     length       of the code of each symbol between, four bits, low ones first, 0 where it does not occur; the last byte padded by 0
///     bit          codes from the highest bit of each byte on, the last byte padded by 0. Of two codes of one length the smaller
///                  symbol has the smaller one, and shorter codes come before longer ones.
struct huffman {
    /// Bytes that decode() turns into the symbols again. O(n).
    static std::vector<std::uint8_t> encode(std::span<const std::uint8_t> symbols) {
        std::vector<std::uint8_t> content;
        if (symbols.empty()) {
            return content;
        }
        const symbol_counts counts = count_symbols(symbols);
        const detail::symbol_range range(counts);
        content = {static_cast<std::uint8_t>(range.first), static_cast<std::uint8_t>(range.last)};
        if (range.first == range.last) {
            return content;
        }
        const code_lengths lengths = best_lengths(counts);
        for (std::size_t s = range.first; s <= range.last; s += 2) {
            content.push_back(static_cast<std::uint8_t>(lengths[s] | (s < range.last ? lengths[s + 1] << 4 : 0)));
        }
        std::array<std::uint32_t, 256> codes{};
        for_each_code(lengths, [&](std::size_t s, std::uint32_t begin) { codes[s] = begin >> (longest - lengths[s]); });
        std::uint32_t bits = 0;
        unsigned held = 0;
        for (const std::uint8_t s : symbols) {
            bits = bits << lengths[s] | codes[s];
            for (held += lengths[s]; held >= 8; held -= 8) {
                content.push_back(static_cast<std::uint8_t>(bits >> (held - 8)));
            }
        }
        if (held != 0) {
            content.push_back(static_cast<std::uint8_t>(bits << (8 - held)));
        }
        return content;
    }

    /// Fills `symbols`, all of them, from content that need not be trusted. Errors: lengths that make no complete code, content
    /// that ends early or late.
    static std::optional<error> decode(std::span<const std::uint8_t> content, std::span<std::uint8_t> symbols) {
        if (symbols.empty()) {
            return content.empty() ? std::nullopt : problem("no bytes for no symbols", content.size());
        }
        detail::byte_source source(content);
        const auto first = source.byte();
        const auto last = source.byte();
        if (!first || !last || *first > *last) {
            return problem("a first and a last symbol", content.size());
        }
        if (*first == *last) {
            std::fill(symbols.begin(), symbols.end(), static_cast<std::uint8_t>(*first));
            return source.left().empty() ? std::nullopt : problem("nothing behind a lone symbol", content.size());
        }
        code_lengths lengths{};
        for (std::size_t s = *first; s <= *last; s += 2) {
            const auto pair = source.byte();
            if (!pair || (s == *last && *pair >> 4 != 0)) {
                return problem("lengths of codes", content.size());
            }
            lengths[s] = static_cast<std::uint8_t>(*pair & 15);
            lengths[(std::min)(s + 1, *last)] |= static_cast<std::uint8_t>(*pair >> 4);
        }
        struct entry {
            std::uint8_t symbol, length;
        };
        std::array<entry, table_size> table;
        if (!is_complete(lengths)) {
            return problem("lengths of a complete code", content.size());
        }
        for_each_code(lengths, [&](std::size_t s, std::uint32_t begin) {
            std::fill_n(table.begin() + begin, table_size >> lengths[s], entry{static_cast<std::uint8_t>(s), lengths[s]});
        });

        const std::span<const std::uint8_t> stream = source.left();
        std::uint64_t bits = 0;  // the next ones, from the highest on
        unsigned held = 0;
        std::size_t next = 0;   // byte of the stream, also beyond its end, where bits are 0
        std::size_t taken = 0;  // bits
        for (std::uint8_t& symbol : symbols) {
            for (; held < longest; held += 8, ++next) {
                bits |= std::uint64_t{next < stream.size() ? stream[next] : std::uint8_t{0}} << (56 - held);
            }
            const entry e = table[bits >> (64 - longest)];
            symbol = e.symbol;
            bits <<= e.length;
            held -= e.length;
            taken += e.length;
        }
        if ((taken + 7) / 8 != stream.size() || (taken % 8 != 0 && (stream.back() << taken % 8 & 0xff) != 0)) {
            return problem("an end where the last symbol is", content.size());
        }
        return std::nullopt;
    }

private:
    static constexpr unsigned longest = 12;
    static constexpr std::size_t table_size = std::size_t{1} << longest;
    using code_lengths = std::array<std::uint8_t, 256>;

    static std::optional<error> problem(const char* expected, std::size_t found) {
        return error{error_code::malformed, sentence("Huffman stream: expected ", expected, ", found ", found, " bytes without")};
    }

    static bool is_complete(const code_lengths& lengths) noexcept {
        std::size_t share = 0;
        for (const std::uint8_t length : lengths) {
            if (length > longest) {
                return false;
            }
            share += length == 0 ? 0 : table_size >> length;
        }
        return share == table_size;
    }

    /// f(symbol, its code with zeros behind it up to 12 bits).
    template <class F>
    static void for_each_code(const code_lengths& lengths, const F& f) {
        std::uint32_t begin = 0;
        for (unsigned length = 1; length <= longest; ++length) {
            for (std::size_t s = 0; s < lengths.size(); ++s) {
                if (lengths[s] == length) {
                    f(s, begin);
                    begin += 1u << (longest - length);
                }
            }
        }
    }

    /// Package-merge: of coins worth 2^-1 to 2^-12, one of each for every symbol at the price of its count, the cheapest that are
    /// worth n - 1 together; a symbol's code is as long as it has coins among them.
    static code_lengths best_lengths(const symbol_counts& counts) {
        struct package {
            std::uint64_t price;
            std::vector<std::uint8_t> symbols;
        };
        std::vector<package> coins;
        for (std::size_t s = 0; s < counts.size(); ++s) {
            if (counts[s] != 0) {
                coins.push_back({counts[s], {static_cast<std::uint8_t>(s)}});
            }
        }
        const auto cheaper = [](const package& a, const package& b) { return a.price < b.price; };
        std::sort(coins.begin(), coins.end(), [](const package& a, const package& b) {
            return a.price != b.price ? a.price < b.price : a.symbols < b.symbols;
        });
        std::vector<package> list = coins;
        for (unsigned length = 1; length < longest; ++length) {
            std::vector<package> pairs;
            for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
                pairs.push_back({list[i].price + list[i + 1].price, std::move(list[i].symbols)});
                pairs.back().symbols.insert(pairs.back().symbols.end(), list[i + 1].symbols.begin(), list[i + 1].symbols.end());
            }
            list.clear();
            std::merge(coins.begin(), coins.end(), pairs.begin(), pairs.end(), std::back_inserter(list), cheaper);
        }
        code_lengths lengths{};
        for (std::size_t i = 0; i < 2 * (coins.size() - 1); ++i) {
            for (const std::uint8_t s : list[i].symbols) {
                ++lengths[s];
            }
        }
        return lengths;
    }
};

PARE_NAMESPACE_END

#endif
