#include "storage/encryptions.hpp"

#include "storage/drivers.hpp"

#include <algorithm>
#include <array>

namespace lodge::storage {

namespace {

constexpr std::array kEncryptions{
    EncryptionKind{model::Encryption::luks2, true, make_luks2_driver},
    EncryptionKind{model::Encryption::fscrypt, true, make_fscrypt_driver},
    EncryptionKind{model::Encryption::none, false, make_plain_driver},
};

} // namespace

std::span<const EncryptionKind> encryptions() {
    return kEncryptions;
}

std::string automatic_names() {
    std::string names;
    for (const EncryptionKind& kind : kEncryptions) {
        if (kind.automatic) {
            names +=
                (names.empty() ? "" : " and ") + std::string(model::to_string(kind.encryption));
        }
    }
    return names;
}

Drivers make_drivers() {
    Drivers drivers;
    for (const EncryptionKind& kind : kEncryptions) {
        drivers[kind.encryption] = kind.make();
    }
    return drivers;
}

std::unique_ptr<VolumeDriver> make_driver(model::Encryption encryption) {
    const auto* const kind = std::ranges::find(
        kEncryptions, encryption, [](const EncryptionKind& k) { return k.encryption; });
    return kind->make(); // a unit test holds that the table has all
}

model::Encryption encryption_to_close_with(const Drivers& drivers) {
    const auto* const best = std::ranges::find_if(kEncryptions, [&](const EncryptionKind& kind) {
        return drivers.at(kind.encryption)->info().available;
    });
    return best == kEncryptions.end() ? kEncryptions.back().encryption : best->encryption;
}

} // namespace lodge::storage
