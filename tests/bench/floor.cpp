// The physical limit of a start on this machine: the same namespaces, id map, mounts, pivot_root,
// veth and cgroup as a container of Lodge has, in the fewest system calls, by a supervisor that
// does nothing else. It stays as init's parent and ends with it.
//
//   lodge_bench_floor simple ROOT_DIRECTORY CGROUP LINK_PREFIX
//   lodge_bench_floor full LOWER_MOUNT CGROUP LINK IMAGE FIFO   (also loop, ext4 and overlay)
//   lodge_bench_floor settle CGROUP                             (until the last one has gone)
//
// Init writes its stamp into the volume then, where nobody else sees it: it is handed on to FIFO.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/namespaces.hpp"
#include "lib/kernel/privileges.hpp"
#include "lib/kernel/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace lodge;

constexpr std::uint32_t kBase = 0x7e000000;
constexpr std::uint32_t kIds = 65536;

// A netlink request that grows: attributes are appended, nests closed by their offset.
class Request {
  public:
    Request() {
        header()->nlmsg_type = RTM_NEWLINK;
        header()->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        header()->nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    }
    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
    void set_up() {
        reinterpret_cast<ifinfomsg*>(bytes_.data() + NLMSG_HDRLEN)->ifi_flags = IFF_UP;
    }
    std::size_t add(unsigned type, const void* data, std::size_t size) {
        const std::size_t at = header()->nlmsg_len;
        auto* attribute = reinterpret_cast<rtattr*>(bytes_.data() + at);
        attribute->rta_type = static_cast<unsigned short>(type);
        attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
        if (size > 0) {
            std::memcpy(RTA_DATA(attribute), data, size);
        }
        header()->nlmsg_len += static_cast<__u32>(RTA_ALIGN(attribute->rta_len));
        return at;
    }
    void skip(std::size_t size) { header()->nlmsg_len += static_cast<__u32>(size); }
    void close(std::size_t at) {
        reinterpret_cast<rtattr*>(bytes_.data() + at)->rta_len =
            static_cast<unsigned short>(header()->nlmsg_len - at);
    }

  private:
    alignas(nlmsghdr) std::array<char, 512> bytes_{};
};

Status add_veth(const std::string& link, pid_t peer) {
    Request request;
    request.set_up();
    request.add(IFLA_IFNAME, link.c_str(), link.size() + 1);
    const std::size_t info = request.add(IFLA_LINKINFO, nullptr, 0);
    request.add(IFLA_INFO_KIND, "veth", 5);
    const std::size_t data = request.add(IFLA_INFO_DATA, nullptr, 0);
    const std::size_t other = request.add(VETH_INFO_PEER, nullptr, 0);
    request.skip(sizeof(ifinfomsg));
    request.add(IFLA_IFNAME, "eth0", 5);
    request.add(IFLA_NET_NS_PID, &peer, sizeof peer);
    request.close(other);
    request.close(data);
    request.close(info);
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    std::array<char, 4096> answer{};
    if (::send(socket.get(), request.header(), request.header()->nlmsg_len, 0) < 0 ||
        ::recv(socket.get(), answer.data(), answer.size(), 0) < 0) {
        return fail_errno("netlink");
    }
    const auto* error = reinterpret_cast<const nlmsgerr*>(answer.data() + NLMSG_HDRLEN);
    if (error->error != 0) {
        errno = -error->error;
        return fail_errno("RTM_NEWLINK", link);
    }
    return {};
}

Status mount_new(const char* type, const char* path, std::uint64_t attributes) {
    ASSIGN_OR_RETURN(
        const kernel::MountFd mount,
        kernel::new_mount({.type = type, .source = type, .options = {}, .attributes = attributes}));
    return kernel::attach_mount(mount.get(), AT_FDCWD, path);
}

// In the container: waits for its root, makes the usual mounts, pivots, executes init.
Status become_init(int channel) {
    std::array<std::byte, 8> byte{};
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    ASSIGN_OR_RETURN(auto message, kernel::receive_message(channel, byte, deadline));
    if (message.fds.size() != 1) {
        return fail(ErrorCode::internal, "no root came");
    }
    RETURN_IF_ERROR(kernel::unshare_namespaces(CLONE_NEWCGROUP));
    RETURN_IF_ERROR(kernel::become(0, 0, {}));
    RETURN_IF_ERROR(kernel::die_with_parent());
    if (::sethostname("floor", 5) != 0) {
        return fail_errno("sethostname");
    }
    RETURN_IF_ERROR(kernel::attach_mount(message.fds[0].get(), AT_FDCWD, "/mnt"));
    constexpr std::uint64_t kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    RETURN_IF_ERROR(mount_new("proc", "/mnt/proc", kSafe));
    RETURN_IF_ERROR(mount_new("sysfs", "/mnt/sys", kSafe | MOUNT_ATTR_RDONLY));
    RETURN_IF_ERROR(mount_new("cgroup2", "/mnt/sys/fs/cgroup", kSafe));
    RETURN_IF_ERROR(mount_new("tmpfs", "/mnt/dev", MOUNT_ATTR_NOSUID));
    RETURN_IF_ERROR(kernel::make_directory("/mnt/dev/pts", 0755));
    RETURN_IF_ERROR(kernel::make_directory("/mnt/dev/shm", 0755));
    RETURN_IF_ERROR(mount_new("devpts", "/mnt/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    RETURN_IF_ERROR(mount_new("tmpfs", "/mnt/dev/shm", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    RETURN_IF_ERROR(mount_new("tmpfs", "/mnt/run", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    ASSIGN_OR_RETURN(const UniqueFd root, kernel::open_file("/mnt", O_PATH | O_DIRECTORY));
    RETURN_IF_ERROR(kernel::pivot_into(root.get()));
    ::execl("/sbin/init", "/sbin/init", nullptr);
    return fail_errno("execl", "/sbin/init");
}

Status idmap(int mount, int userns) {
    return kernel::set_mount_attributes(mount, {.set = MOUNT_ATTR_IDMAP, .userns_fd = userns});
}

Result<kernel::MountFd> simple_root(const std::string& directory, int userns) {
    ASSIGN_OR_RETURN(kernel::MountFd root, kernel::clone_mount(AT_FDCWD, directory));
    RETURN_IF_ERROR(idmap(root.get(), userns));
    return root;
}

Result<kernel::MountFd> open_volume(const std::string& image) {
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(image, O_RDWR));
    ASSIGN_OR_RETURN(const auto loop, kernel::LoopDevice::attach(file.get(), {.label = "floor"}));
    return kernel::new_mount({.type = "ext4", .source = loop.path(), .options = {}});
}

// The layers are attached in this process's own mount namespace for as long as overlayfs is made.
Result<kernel::MountFd> full_root(const std::string& lower, int volume, int userns) {
    ASSIGN_OR_RETURN(const kernel::MountFd lower_mount, kernel::clone_mount(AT_FDCWD, lower));
    RETURN_IF_ERROR(idmap(lower_mount.get(), userns));
    RETURN_IF_ERROR(idmap(volume, userns));
    RETURN_IF_ERROR(kernel::attach_mount(lower_mount.get(), AT_FDCWD, "/mnt"));
    RETURN_IF_ERROR(kernel::attach_mount(volume, AT_FDCWD, "/media"));
    ASSIGN_OR_RETURN(const auto ids, kernel::FilesystemIds::assume(kBase, kBase));
    return kernel::new_mount({.type = "overlay",
                              .source = "floor",
                              .options = {{"lowerdir", "/mnt"},
                                          {"upperdir", "/media/upper"},
                                          {"workdir", "/media/work"}}});
}

// The file is there once init has run; it is taken away for the next start.
Status hand_on_stamp(int root, const std::string& fifo) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    while (!deadline.expired()) {
        const auto file = kernel::open_at(root, "stamp", O_RDONLY);
        const auto text = file ? kernel::read_all(file->get(), 64) : Result<std::string>("");
        if (!text || text->empty()) {
            (void)::usleep(200);
            continue;
        }
        (void)::unlinkat(root, "stamp", 0);
        ASSIGN_OR_RETURN(const UniqueFd out, kernel::open_file(fifo, O_WRONLY));
        return kernel::write_all(out.get(), *text);
    }
    return fail(ErrorCode::timeout, "init left no stamp");
}

Status start(const std::vector<std::string>& arguments) {
    const bool full = arguments.at(0) == "full";
    RETURN_IF_ERROR(kernel::unshare_namespaces(CLONE_NEWNS));
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return fail_errno("mount", "/ (private)");
    }
    kernel::MountFd volume;
    if (full) {
        ASSIGN_OR_RETURN(volume, open_volume(arguments.at(4)));
    }
    ASSIGN_OR_RETURN(const UniqueFd cgroup, kernel::open_directory(arguments.at(2)));
    ASSIGN_OR_RETURN(auto channel, kernel::make_message_pair());
    ASSIGN_OR_RETURN(const auto child,
                     kernel::clone_process(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                                               CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
                                           cgroup.get()));
    if (child.pid == 0) {
        const Status done = become_init(channel.second.get());
        std::fprintf(stderr, "floor: %s\n", done.error().to_string().c_str());
        ::_exit(1);
    }
    ASSIGN_OR_RETURN(const UniqueFd proc, kernel::open_directory("/proc"));
    RETURN_IF_ERROR(kernel::write_id_maps(proc.get(), child.pid, {.base = kBase, .count = kIds}));
    ASSIGN_OR_RETURN(
        const UniqueFd userns,
        kernel::open_file("/proc/" + std::to_string(child.pid) + "/ns/user", O_RDONLY));
    RETURN_IF_ERROR(add_veth(arguments.at(3) + std::to_string(child.pid), child.pid));
    ASSIGN_OR_RETURN(const kernel::MountFd root,
                     full ? full_root(arguments.at(1), volume.get(), userns.get())
                          : simple_root(arguments.at(1), userns.get()));
    const std::array<int, 1> fds{root.get()};
    RETURN_IF_ERROR(kernel::send_message(
        channel.first.get(), std::as_bytes(std::span<const char>("go", 2)), fds));
    return full ? hand_on_stamp(root.get(), arguments.at(5)) : Status{};
}

// An init ends a moment after its supervisor: an image that it still has mounted must not be
// mounted a second time.
Status settle(const std::string& cgroup) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    while (!deadline.expired()) {
        ASSIGN_OR_RETURN(const std::string events,
                         kernel::read_file(cgroup + "/cgroup.events", 256));
        if (events.starts_with("populated 0")) {
            return {};
        }
        (void)::usleep(200);
    }
    return fail(ErrorCode::timeout, "processes stay in " + cgroup);
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const bool settles = arguments.size() == 2 && arguments[0] == "settle";
    if (!settles && arguments.size() < 4) {
        return 2;
    }
    const Status done = settles ? settle(arguments[1]) : start(arguments);
    if (!done) {
        std::fprintf(stderr, "floor: %s\n", done.error().to_string().c_str());
        return 1;
    }
    if (settles) {
        return 0;
    }
    // As a supervisor does: nothing but its child.
    int status = 0;
    (void)::wait(&status);
    return 0;
}
