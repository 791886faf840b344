#include "lib/model/container.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace lodge::model {

namespace {

constexpr std::array<std::string_view, 7> kKeyTypes{
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};
constexpr std::size_t kLongestKeyLine = 16384;

std::optional<unsigned> base64_value(char c) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t at = kAlphabet.find(c);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

// RFC 4648 with padding, as OpenSSH writes it; nullopt for anything else.
std::optional<std::string> decode_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    std::string bytes;
    unsigned bits = 0;
    unsigned held = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const auto value = base64_value(c);
        if (!value) {
            return std::nullopt;
        }
        held = (held << 6) | *value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes.push_back(static_cast<char>((held >> bits) & 0xff));
        }
    }
    return bytes;
}

// The blob begins with the type as an SSH string: four bytes of length, then the text (RFC
// 4253, 6.6).
bool blob_names_type(const std::string& blob, std::string_view type) {
    if (blob.size() < 4 + type.size()) {
        return false;
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        length = (length << 8) | static_cast<unsigned char>(blob[i]);
    }
    return length == type.size() && std::string_view(blob).substr(4, length) == type &&
           blob.size() > 4 + length;
}

std::unexpected<Error> refuse(std::string why) {
    return fail(ErrorCode::invalid_argument, "not an OpenSSH public key: " + std::move(why));
}

} // namespace

Status validate_ssh_public_key(std::string_view line) {
    if (line.find("PRIVATE KEY") != std::string_view::npos) {
        return refuse("this is a private key, which must stay with its owner; give the .pub file");
    }
    if (line.size() > kLongestKeyLine) {
        return refuse("the line is longer than 16 KiB");
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
    };
    if (std::any_of(line.begin(), line.end(), is_control)) {
        return refuse("the line has control characters or is more than one line");
    }
    const std::size_t space = line.find(' ');
    const std::string_view type = line.substr(0, space);
    if (std::find(kKeyTypes.begin(), kKeyTypes.end(), type) == kKeyTypes.end()) {
        return refuse("it does not begin with a key type such as ssh-ed25519");
    }
    if (space == std::string_view::npos) {
        return refuse("nothing follows the key type");
    }
    const std::string_view rest = line.substr(space + 1);
    const auto blob = decode_base64(rest.substr(0, rest.find(' ')));
    if (!blob || !blob_names_type(*blob, type)) {
        return refuse("the key after '" + std::string(type) + "' is damaged or of another type");
    }
    return {};
}

} // namespace lodge::model
