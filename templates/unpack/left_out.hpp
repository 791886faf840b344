#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

namespace lodge::templates {

/// The entries of an archive that do not come into the tree. None disappears silently: each is
/// counted.
class LeftOut {
  public:
    enum class Kind { device_node, fifo, socket, link_to_such, name, attributes, acl };

    /// Adds an entry that is not unpacked. A hard link to it has no target.
    void entry(Kind kind, std::string_view path);
    /// Adds an entry that is unpacked under a name that no image can hold, so that hard links to it
    /// work. It is removed at the end.
    void unholdable(std::string_view path);
    void of_an_entry(Kind kind) { ++counts_.at(static_cast<std::size_t>(kind)); }
    /// Another entry came under that name.
    void taken(std::string_view path);
    [[nodiscard]] bool contains(std::string_view path) const;
    /// Paths of the entries to remove, each with all below it.
    [[nodiscard]] const std::set<std::string>& to_go() const { return to_go_; }
    /// Whether there were more names than are remembered: the archive must be refused.
    [[nodiscard]] bool too_much() const;
    /// "left out of the archive: 2 device nodes, 1 hard link to such"; empty: nothing was.
    [[nodiscard]] std::string sentence() const;

  private:
    std::array<std::uint64_t, 7> counts_{};
    std::unordered_set<std::string> paths_; ///< normalised
    std::set<std::string> to_go_;
    std::size_t remembered_ = 0; ///< bytes of both
};

/// Whether an EROFS image can have a file of that name: mkfs.erofs 1.5 takes names of up to 254
/// bytes, and passes over those that begin with lost+found without a word.
[[nodiscard]] bool is_holdable(std::string_view name);

/// A path of an archive without empty parts, `.` and a slash at either end. Pure.
[[nodiscard]] std::string normalised(std::string_view path);

} // namespace lodge::templates
