#include "lib/base/base64.hpp"
#include "lib/base/utf8.hpp"
#include "lib/model/container.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

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
    if (!is_utf8(line)) { // the comment of the key may have other bytes
        return refuse("the line is not UTF-8");
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
