#include "lib/yaml/emit.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace lodge::yaml {

namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kOthers = "0123456789-_./";

// Booleans and null of YAML 1.1, in small letters.
constexpr std::array<std::string_view, 9> kTaken{
    "y", "n", "yes", "no", "on", "off", "true", "false", "null"};

// Whether every parser reads `text` without quotes as a text.
bool is_plain(std::string_view text) {
    if (text.empty() || kLetters.find(text[0]) == std::string_view::npos) {
        return false;
    }
    std::string small;
    for (const char c : text) {
        const bool letter = kLetters.find(c) != std::string_view::npos;
        if (!letter && kOthers.find(c) == std::string_view::npos) {
            return false;
        }
        small += static_cast<char>(letter ? c | 0x20 : c);
    }
    return std::find(kTaken.begin(), kTaken.end(), small) == kTaken.end();
}

// Whether `text` has DEL, which controls a terminal, a line break of YAML 1.1 that 1.2 does not
// know (U+2028, U+2029), or a byte order mark.
bool is_to_be_escaped(std::string_view text) {
    constexpr std::array<std::string_view, 4> kSpecial{
        "\x7f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf"};
    return std::any_of(kSpecial.begin(), kSpecial.end(), [&](std::string_view special) {
        return text.find(special) != std::string_view::npos;
    });
}

void put_text(YAML::Emitter& out, const std::string& text) {
    if (!is_plain(text)) {
        out << YAML::DoubleQuoted;
    }
    if (is_to_be_escaped(text)) {
        out << YAML::EscapeNonAscii;
    }
    out << text;
}

// Its depth is that of the value that the caller built.
void put(YAML::Emitter& out, const Node& node) { // NOLINT(misc-no-recursion): as deep as the value
    switch (node.kind) {
    case Node::Kind::none:
        out << YAML::Null;
        break;
    case Node::Kind::scalar:
        if (node.bare) {
            out << node.scalar;
        } else {
            put_text(out, node.scalar);
        }
        break;
    case Node::Kind::list:
        out << YAML::BeginSeq;
        for (const Node& item : node.items) {
            put(out, item);
        }
        out << YAML::EndSeq;
        break;
    case Node::Kind::mapping:
        out << YAML::BeginMap;
        for (const auto& [key, value] : node.entries) {
            out << YAML::Key;
            put_text(out, key);
            out << YAML::Value;
            put(out, value);
        }
        out << YAML::EndMap;
        break;
    }
}

} // namespace

std::string emit(const Node& node) {
    YAML::Emitter out;
    put(out, node);
    return std::string(out.c_str()) + "\n";
}

} // namespace lodge::yaml
