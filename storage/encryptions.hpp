#pragma once

#include "storage/volume.hpp"

#include <map>
#include <memory>
#include <span>
#include <string>

namespace lodge::storage {

/// A way to encrypt volumes.
struct EncryptionKind {
    model::Encryption encryption;
    bool automatic; ///< a create that asks for none may get it
    std::unique_ptr<VolumeDriver> (*make)();
};

/// All of them, the best first. The order is that of preference and of `host info`. close() of each
/// also closes what those behind it have opened.
[[nodiscard]] std::span<const EncryptionKind> encryptions();

/// "luks2 and fscrypt": those that a create may get without asking.
[[nodiscard]] std::string automatic_names();

using Drivers = std::map<model::Encryption, std::unique_ptr<VolumeDriver>>;

/// One driver of each.
[[nodiscard]] Drivers make_drivers();

/// The encryption whose driver closes a volume that has no row, so that its own is not known: the
/// best that this host can have.
[[nodiscard]] model::Encryption encryption_to_close_with(const Drivers& drivers);

} // namespace lodge::storage
