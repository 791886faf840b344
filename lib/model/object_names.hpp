#pragma once

#include "lib/base/uuid.hpp"

#include <optional>
#include <string>
#include <string_view>

// The names of the objects that Lodge makes in the kernel and on the disk. Each comes from the UUID
// of a row: a container's, a volume's or a card's. So the name shows that an object is Lodge's, and
// to which row it belongs. The name of a volume's mapping hides the UUID:
// storage::Volume::mapper_name().
namespace lodge::model {

/// "ct-UUID", the control group of a container below Lodge's base.
[[nodiscard]] std::string group_name(const Uuid& container);
/// The container of a name of this form; nullopt: the name has another form.
[[nodiscard]] std::optional<Uuid> container_of_group(std::string_view name);

/// "ve-" and twelve digits of the UUID, which fill IFNAMSIZ: the host's end of a card.
[[nodiscard]] std::string card_name(const Uuid& card);
/// Whether a link's name has the form of card_name().
[[nodiscard]] bool is_card_name(std::string_view name) noexcept;
/// Whether a link's name begins with the prefix of card_name().
[[nodiscard]] bool begins_as_card_name(std::string_view name) noexcept;

/// "lodge-UUID", the label of a volume's loop device.
[[nodiscard]] std::string volume_label(const Uuid& volume);
/// The volume of a label of this form; nullopt: the label has another form.
[[nodiscard]] std::optional<Uuid> volume_of_label(std::string_view label);

/// The image in a volume's directory; the directory's name is the volume's UUID. The name of the
/// image is the same for all volumes, because every tenant can read the last component of its path
/// in sysfs.
inline constexpr const char* kImageName = "volume.img";

} // namespace lodge::model
