#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/mount.hpp"
#include "templates/definition.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lodge::templates {

/// A finished template: one read-only EROFS image and the data that a container needs of it.
struct Template {
    std::string name;
    std::string digest;      ///< "sha256:<hex>" of the image
    std::uint64_t bytes = 0; ///< of the image
    std::string init;        ///< "/sbin/init"
    std::string halt_signal; ///< "SIGRTMIN+3"
    std::string ready;       ///< the sign of readiness: "ssh" or "running"
    std::string source;      ///< "mmdebstrap debian-12", "import"
    std::int64_t created_at = 0;
};

/// The record of one name of an image. The daemon makes the text; the store does not read it.
struct ImageRecord {
    std::string digest;
    std::string name; ///< a DNS label
    std::string text;
};

/// Called when a long step begins.
using Progress = std::function<void(const std::string& step)>;

/// One unit of work that makes a template.
struct Work {
    std::string id; ///< names its directory; the operation's UUID
    Progress progress;
    /// Called with a sentence about a part of the source that is not in the template; may be empty.
    std::function<void(const std::string& sentence)> warn{};
    int cancel_fd = -1; ///< readable: stop and return `cancelled`
    /// Called when an import has read its archive, before it makes anything of it: whether the
    /// archive was whole. Empty: it was.
    std::function<Status()> received;
};

/// Makes templates in a directory of their own and mounts them. It has one subdirectory per digest:
/// DIR/<hex>/template.erofs, and beside it a record of each name, DIR/<hex>/NAME.json. Unfinished
/// work is in DIR/.work-<operation>; `discard` removes it. The store knows no database: the daemon
/// has the digest of each name. Thread-safe.
class TemplateStore {
  public:
    TemplateStore() = default;
    TemplateStore(const TemplateStore&) = delete;
    TemplateStore& operator=(const TemplateStore&) = delete;
    virtual ~TemplateStore() = default;

    /// Builds a definition with the host's own apt configuration. Everything is in DIR/.work-<id>
    /// until the last rename. On failure or cancel nothing is left.
    [[nodiscard]] virtual Result<Template> build(const Definition& definition,
                                                 const Work& work) = 0;
    /// Imports a root tree from a tar archive (plain, gz, xz, zst) read from `archive_fd` (any
    /// stream). Hostile entries are refused or made harmless; see docs/templates.md.
    [[nodiscard]] virtual Result<Template>
    import(const std::string& name, int archive_fd, const Work& work) = 0;
    /// Removes the work directory of an unfinished build or import. Missing: success.
    [[nodiscard]] virtual Status discard(const std::string& work_id) = 0;
    /// Removes the image of a digest. Pre: unmounted.
    [[nodiscard]] virtual Status remove(const std::string& digest) = 0;
    /// Digests of all images: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> list() = 0;
    /// Digests that have a mount point below the run directory, mounted or not: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> mount_points() = 0;
    /// Ids of the builds and imports that have a work directory, running ones included.
    [[nodiscard]] virtual Result<std::vector<std::string>> works() = 0;

    /// Writes the record beside its image, atomically and durably, over an earlier one.
    [[nodiscard]] virtual Status put_record(const ImageRecord& record) = 0;
    /// Missing: success.
    [[nodiscard]] virtual Status remove_record(const std::string& digest,
                                               const std::string& name) = 0;
    /// All records of all images, by digest and name.
    [[nodiscard]] virtual Result<std::vector<ImageRecord>> records() = 0;

    /// A fresh detached clone of the image's mount. The image is mounted read-only once per host,
    /// at RUN/<hex>, so that all containers share its page cache; the first call mounts it.
    [[nodiscard]] virtual Result<kernel::MountFd> mount(const std::string& digest) = 0;
    /// Unmounts the host's mount; containers keep their own references. Not mounted: success.
    [[nodiscard]] virtual Status unmount(const std::string& digest) = 0;
};

struct StoreSettings {
    std::string directory;      ///< images and unfinished work, on a real filesystem
    std::string run_directory;  ///< mount points
    std::string unpack_program; ///< path of lodge-unpack
    std::uint64_t most_unpacked_bytes = std::uint64_t{16} << 30;
};
[[nodiscard]] std::unique_ptr<TemplateStore> make_template_store(StoreSettings settings);

/// Copies a whole tree (ids, modes, times, xattrs, hard links, holes) from one directory into
/// another, for `--rootfs private`. Nobody else uses the two while it runs.
[[nodiscard]] Status copy_tree(int source_fd, int target_fd);

} // namespace lodge::templates
