#include "storage/sealed_key.hpp"

namespace lodge::storage {

namespace {

constexpr std::string_view kMark = "lodge-key ";

std::string first_line(const std::string& provider) {
    return std::string(kMark) + "2 " + provider + "\n";
}

std::string bound_text(const std::string& line, const KeyContext& context) {
    return line + context.container.to_string() + "\n" + context.volume.to_string() + "\n" +
           std::to_string(context.slot);
}

Result<secret::SecretBuffer>
unwrap_early(const Wrapping& wrapping, const KeyContext& context, std::string_view sealed) {
    if (context.volume != context.container || context.slot != 0) {
        return fail(ErrorCode::bad_key,
                    "an earlier release wrapped this key, for another volume of the container");
    }
    return secret::open_sealed(wrapping.key, sealed, context.container.to_string());
}

} // namespace

Result<SealedKey>
wrap_with(const Wrapping& wrapping, const KeyContext& context, const secret::SecretBuffer& key) {
    const std::string line = first_line(wrapping.provider);
    ASSIGN_OR_RETURN(const std::string sealed,
                     secret::seal(wrapping.key, key, bound_text(line, context)));
    return line + sealed;
}

Result<secret::SecretBuffer>
unwrap_with(const Wrapping& wrapping, const KeyContext& context, std::string_view sealed) {
    if (!sealed.starts_with(kMark)) {
        return unwrap_early(wrapping, context, sealed);
    }
    const std::string line = first_line(wrapping.provider);
    if (!sealed.starts_with(line)) {
        return fail(ErrorCode::unsupported,
                    "another provider than '" + wrapping.provider +
                        "', or a newer release, wrapped this key");
    }
    return secret::open_sealed(wrapping.key, sealed.substr(line.size()), bound_text(line, context));
}

} // namespace lodge::storage
