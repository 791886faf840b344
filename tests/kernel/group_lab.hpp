#pragma once

#include "lib/cgroup/groups.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

/// The control group of this process.
inline std::string own_group_path() {
    const std::string text = kernel::read_file("/proc/self/cgroup", 65536).value();
    const std::size_t at = text.find("0::");
    return text.substr(at + 3, text.find('\n', at) - at - 3);
}

/// A process of a group, which does nothing. Forked: the tests have one thread.
class Resident {
  public:
    explicit Resident(int group_fd) : pid_(::fork()) {
        if (pid_ == 0) {
            (void)kernel::write_control(group_fd, "cgroup.procs", "0");
            while (true) {
                (void)::pause();
            }
        }
        // It is in when its group says so.
        const std::string own = std::to_string(pid_) + "\n";
        const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
        while (!deadline.expired()) {
            const auto procs = kernel::open_at(group_fd, "cgroup.procs", O_RDONLY);
            if (procs && kernel::read_all(procs->get(), 65536).value().find(own) == 0) {
                return;
            }
            (void)::poll(nullptr, 0, 2);
        }
        ADD_FAILURE() << "the process did not enter its group";
    }
    ~Resident() {
        if (pid_ > 0) {
            (void)::kill(pid_, SIGKILL);
            (void)::waitpid(pid_, nullptr, 0);
        }
    }
    Resident(const Resident&) = delete;
    Resident& operator=(const Resident&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// The signal that ended it.
    int reap() {
        int status = 0;
        (void)::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }

  private:
    pid_t pid_;
};

/// A base group of the test's own. Making the manager moves this process into it; it goes back
/// where it came from at the end.
class GroupLab : public LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("cgroup2");
        LeakChecked::SetUp();
        came_from_ = own_group_path();
        base_ = "/lodge-test-" + std::to_string(::getpid()) + "-groups";
        auto groups = cgroup::make_group_manager(base_);
        ASSERT_TRUE(groups.has_value()) << groups.error().to_string();
        groups_ = std::move(*groups);
        place_ = groups_->support().mount_point + base_;
    }

    void TearDown() override {
        if (groups_) {
            const std::vector<std::string> names = groups_->list().value();
            for (const std::string& name : names) {
                (void)groups_->kill(name);
                EXPECT_TRUE(groups_->wait_empty(name, soon()).has_value());
                EXPECT_TRUE(groups_->remove(name).has_value()) << name;
            }
            const std::string mount = groups_->support().mount_point;
            EXPECT_TRUE(kernel::write_control(AT_FDCWD, mount + came_from_ + "/cgroup.procs", "0"));
            EXPECT_EQ(::rmdir((place_ + "/daemon").c_str()), 0);
            EXPECT_EQ(::rmdir(place_.c_str()), 0);
            groups_.reset();
            LeakChecked::TearDown();
        }
    }

    static Deadline soon() { return Deadline::after(patience(std::chrono::seconds(10))); }

    std::unique_ptr<cgroup::GroupManager> groups_;
    std::string base_;
    std::string place_;
    std::string came_from_;
};

} // namespace lodge::test
