#include "daemon/containers/encryption_choice.hpp"

namespace lodge::daemon {

namespace {

Result<model::Encryption> if_usable(model::Encryption encryption, const storage::Drivers& drivers) {
    const storage::DriverInfo info = drivers.at(encryption)->info();
    if (!info.available) {
        return fail(ErrorCode::unsupported,
                    "the encryption " + std::string(model::to_string(encryption)) +
                        " cannot be had on this host: " + info.why_not);
    }
    return encryption;
}

} // namespace

Result<model::Encryption> choose_encryption(const std::optional<model::Encryption>& asked,
                                            const Settings& settings,
                                            const storage::Drivers& drivers) {
    if (asked) {
        return if_usable(*asked, drivers);
    }
    if (settings.encryption != "auto") {
        ASSIGN_OR_RETURN(const auto configured, model::parse_encryption(settings.encryption));
        return if_usable(configured, drivers);
    }
    for (const storage::EncryptionKind& kind : storage::encryptions()) {
        if (kind.automatic && if_usable(kind.encryption, drivers)) {
            return kind.encryption;
        }
    }
    return fail(ErrorCode::unsupported,
                "this host can have none of " + storage::automatic_names() +
                    "; see `lodge host info`, or ask for --encryption none by name");
}

} // namespace lodge::daemon
