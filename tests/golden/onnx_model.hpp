#ifndef PARE_TESTS_GOLDEN_ONNX_MODEL_HPP
#define PARE_TESTS_GOLDEN_ONNX_MODEL_HPP

// As much of the files of ONNX as single operators need: models without subgraphs, and tensors.

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <protozero/pbf_reader.hpp>

#include <pare/types/float16.hpp>
#include <pare/types/small_float.hpp>

#include "../catch.hpp"

namespace onnx_file {

/// The numbers of TensorProto.DataType.
enum class type {
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    uint16 = 4,
    int16 = 5,
    int32 = 6,
    float16 = 10,
    float8_e4m3 = 17,
    float8_e5m2 = 19,
    uint4 = 21,
    int4 = 22,
    float4_e2m1 = 23,
    uint2 = 25,
    int2 = 26
};

/// What is known of a type: how many bits a number has, and which integers it holds, if it holds integers.
struct type_traits {
    int bits;
    bool is_integer = false;
    std::int32_t smallest = 0;
    std::int32_t largest = 0;
};
inline type_traits traits(type t) {
    const auto integer = [](int bits, bool is_signed) {
        const std::int64_t count = std::int64_t{1} << bits;
        return type_traits{bits, true, static_cast<std::int32_t>(is_signed ? -count / 2 : 0),
                           static_cast<std::int32_t>(is_signed ? count / 2 - 1 : count - 1)};
    };
    switch (t) {
        case type::uint2: return integer(2, false);
        case type::int2: return integer(2, true);
        case type::uint4: return integer(4, false);
        case type::int4: return integer(4, true);
        case type::uint8: return integer(8, false);
        case type::int8: return integer(8, true);
        case type::uint16: return integer(16, false);
        case type::int16: return integer(16, true);
        case type::int32: return integer(32, true);
        case type::float4_e2m1: return {4};
        case type::float8_e4m3:
        case type::float8_e5m2: return {8};
        case type::float16: return {16};
        case type::float32: return {32};
    }
    FAIL("a tensor of type " << static_cast<int>(t));
    return {};
}

/// Every number of these types is a double.
struct tensor {
    std::string name;
    type element = type::float32;
    std::vector<std::size_t> shape;
    std::vector<double> values;
};

struct node {
    std::string operation;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::map<std::string, std::vector<std::int64_t>> integers;
    std::map<std::string, tensor> tensors;
};

struct model {
    std::vector<node> nodes;
    std::vector<tensor> constants;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
};

/// The number that the low bits of `bits` are.
inline double number_of(type t, std::uint32_t bits) {
    const type_traits n = traits(t);
    const auto small = [&]<class F>(F f) {
        f.bits = static_cast<std::uint8_t>(bits & ((1u << n.bits) - 1));
        return static_cast<double>(float{f});
    };
    if (n.is_integer) {
        const auto shifted = bits << (32 - n.bits);
        return n.smallest < 0 ? static_cast<double>(static_cast<std::int32_t>(shifted) >> (32 - n.bits))
                              : static_cast<double>(shifted >> (32 - n.bits));
    }
    switch (t) {
        case type::float4_e2m1: return small(pare::float4_e2m1());
        case type::float8_e4m3: return small(pare::float8_e4m3());
        case type::float8_e5m2: return small(pare::float8_e5m2());
        case type::float16: {
            pare::float16 half;
            half.bits = static_cast<std::uint16_t>(bits);
            return static_cast<double>(float{half});
        }
        default: return static_cast<double>(std::bit_cast<float>(bits));
    }
}

/// A repeated integer, packed or not.
template <class Reader>
void append_integers(Reader& field, std::vector<std::int64_t>& out) {
    if (field.wire_type() == protozero::pbf_wire_type::length_delimited) {
        for (const std::int64_t n : field.get_packed_int64()) {
            out.push_back(n);
        }
    } else {
        out.push_back(field.get_int64());
    }
}

inline tensor read_tensor(protozero::pbf_reader field) {
    tensor t;
    std::vector<std::int64_t> dims, integers;
    std::vector<float> floats;
    std::string raw;
    while (field.next()) {
        switch (field.tag()) {
            case 1: append_integers(field, dims); break;
            case 2: t.element = static_cast<type>(field.get_int32()); break;
            case 4:
                if (field.wire_type() == protozero::pbf_wire_type::length_delimited) {
                    const auto packed = field.get_packed_float();
                    floats.insert(floats.end(), packed.begin(), packed.end());
                } else {
                    floats.push_back(field.get_float());
                }
                break;
            case 5: append_integers(field, integers); break;  // negative ones in ten bytes
            case 8: t.name = field.get_string(); break;
            case 9: raw = field.get_bytes(); break;
            default: field.skip();
        }
    }
    std::size_t count = 1;
    for (const std::int64_t d : dims) {
        t.shape.push_back(static_cast<std::size_t>(d));
        count *= static_cast<std::size_t>(d);
    }
    const auto bits = static_cast<std::size_t>(traits(t.element).bits);
    for (std::size_t i = 0; i < count; ++i) {
        if (!floats.empty()) {
            REQUIRE(floats.size() == count);
            t.values.push_back(static_cast<double>(floats[i]));
        } else if (!integers.empty() && bits >= 8) {
            REQUIRE(integers.size() == count);
            t.values.push_back(number_of(t.element, static_cast<std::uint32_t>(integers[i])));
        } else if (!integers.empty()) {  // bytes of several numbers, the first in the low bits
            const std::size_t per_byte = 8 / bits;
            REQUIRE(integers.size() == (count + per_byte - 1) / per_byte);
            t.values.push_back(number_of(t.element, static_cast<std::uint32_t>(integers[i / per_byte]) >> (i % per_byte * bits)));
        } else {
            REQUIRE(bits >= 8);
            REQUIRE(raw.size() == count * bits / 8);
            std::uint32_t value = 0;
            for (std::size_t b = bits / 8; b-- > 0;) {
                value = value << 8 | static_cast<unsigned char>(raw[i * bits / 8 + b]);
            }
            t.values.push_back(number_of(t.element, value));
        }
    }
    return t;
}

inline void read_attribute(protozero::pbf_reader field, node& n) {
    std::string name;
    std::vector<std::int64_t> integers;
    while (field.next()) {
        switch (field.tag()) {
            case 1: name = field.get_string(); break;
            case 3: integers.push_back(field.get_int64()); break;
            case 5: n.tensors[name] = read_tensor(field.get_message()); break;
            case 8: append_integers(field, integers); break;
            default: field.skip();
        }
    }
    n.integers[name] = integers;
}

inline node read_node(protozero::pbf_reader field) {
    node n;
    while (field.next()) {
        switch (field.tag()) {
            case 1: n.inputs.push_back(field.get_string()); break;
            case 2: n.outputs.push_back(field.get_string()); break;
            case 4: n.operation = field.get_string(); break;
            case 5: read_attribute(field.get_message(), n); break;
            default: field.skip();
        }
    }
    return n;
}

inline std::string name_of_value(protozero::pbf_reader field) {
    return field.next(1) ? field.get_string() : std::string();
}

inline model read_model(const std::string& bytes) {
    model m;
    protozero::pbf_reader file(bytes);
    while (file.next(7)) {
        protozero::pbf_reader graph = file.get_message();
        while (graph.next()) {
            switch (graph.tag()) {
                case 1: m.nodes.push_back(read_node(graph.get_message())); break;
                case 5: m.constants.push_back(read_tensor(graph.get_message())); break;
                case 11: m.inputs.push_back(name_of_value(graph.get_message())); break;
                case 12: m.outputs.push_back(name_of_value(graph.get_message())); break;
                default: graph.skip();
            }
        }
    }
    return m;
}

inline std::string bytes_of_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    CAPTURE(path);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace onnx_file

#endif
